// Base64url without padding (RFC 4648, section 5; RFC 7515, section 2), decoded from bytes to bytes without a string.
// Strict: a character of another alphabet, a length that cannot be, or bits set behind the last byte are no base64url.

const INVALID = 0x80;
const VALUES = new Uint8Array(256).fill(INVALID);
for (const [value, char] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries()) {
  VALUES[char.charCodeAt(0)] = value;
}

/** Decodes `from[start, end)` to the start of `to`, which must have room; the bytes written, or -1. */
export function decodeBase64url(from: Uint8Array, start: number, end: number, to: Uint8Array): number {
  const tail = (end - start) & 3;
  if (tail === 1) return -1;
  const wholeEnd = end - tail;
  let seen = 0;
  let written = 0;
  for (let at = start; at < wholeEnd; at += 4) {
    const a = VALUES[from[at]!]!;
    const b = VALUES[from[at + 1]!]!;
    const c = VALUES[from[at + 2]!]!;
    const d = VALUES[from[at + 3]!]!;
    seen |= a | b | c | d;
    to[written] = (a << 2) | (b >> 4);
    to[written + 1] = (b << 4) | (c >> 2);
    to[written + 2] = (c << 6) | d;
    written += 3;
  }
  if (tail > 0) {
    const a = VALUES[from[wholeEnd]!]!;
    const b = VALUES[from[wholeEnd + 1]!]!;
    seen |= a | b;
    to[written++] = (a << 2) | (b >> 4);
    if (tail === 2) {
      if ((b & 15) !== 0) return -1;
    } else {
      const c = VALUES[from[wholeEnd + 2]!]!;
      seen |= c;
      to[written++] = (b << 4) | (c >> 2);
      if ((c & 3) !== 0) return -1;
    }
  }
  return seen < INVALID ? written : -1;
}
