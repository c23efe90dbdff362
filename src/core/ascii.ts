// Looking at ASCII text where it lies in a buffer.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The closing quote of a JSON string of printable ASCII without escapes that starts at `from`, or -1. */
export function plainStringEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < 0x20 || byte > 0x7e) return -1;
  }
  return -1;
}

/** True when all bytes are printable ASCII. */
export function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! < 0x20 || bytes[at]! > 0x7e) return false;
  return true;
}

/** True when `text` is at `from`. */
export function isTextAt(bytes: Uint8Array, from: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** True when `count` capital letters are at `from`. */
export function isUpper(bytes: Buffer, from: number, count: number): boolean {
  for (let i = from; i < from + count; i++) if (bytes[i]! < 0x41 || bytes[i]! > 0x5a) return false;
  return true;
}
