// Integers as text, written into a buffer without a string in between.

const ZERO = 0x30;
const LETTER_A = 0x61;
const SMALL = 0x8000_0000;
const digits = new Uint8Array(64);

/** Writes `value`, an integer of 0 to 2^53-1, in decimal and answers the offset behind it. */
export function putDecimal(to: Uint8Array, offset: number, value: number): number {
  return put(to, offset, value, 10);
}

/** The same in base 36, with small letters, as `toString(36)` writes it. */
export function putBase36(to: Uint8Array, offset: number, value: number): number {
  return put(to, offset, value, 36);
}

function put(to: Uint8Array, offset: number, value: number, base: number): number {
  let count = 0;
  let rest = value;
  while (rest >= SMALL) {
    const next = Math.floor(rest / base);
    digits[count++] = rest - next * base;
    rest = next;
  }
  // From here on 32-bit arithmetic does.
  let small = rest | 0;
  do {
    const next = (small / base) | 0;
    digits[count++] = small - next * base;
    small = next;
  } while (small > 0);
  let at = offset;
  while (count > 0) {
    const digit = digits[--count]!;
    to[at++] = digit < 10 ? ZERO + digit : LETTER_A + digit - 10;
  }
  return at;
}
