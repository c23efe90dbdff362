// The heads of MessagePack values (the format's own specification, msgpack.org), read in place.

/** Length of the MessagePack string at `at` if it is one and lies before `end`, else -1. */
export function stringHead(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return -1;
  const head = bytes[at]!;
  const headBytes = stringHeadBytes(head);
  if (headBytes === 0 || at + headBytes > end) return -1;
  const length = headBytes === 1 ? head & 0x1f : bytes.readUIntBE(at + 1, headBytes - 1);
  return at + headBytes + length <= end ? length : -1;
}

/** Bytes of the head of a string (fixstr, str 8, str 16, str 32); 0 for another type. */
export function stringHeadBytes(head: number): number {
  if (head >= 0xa0 && head <= 0xbf) return 1;
  return head === 0xd9 ? 2 : head === 0xda ? 3 : head === 0xdb ? 5 : 0;
}

// For the heads from 0xc0 to 0xdb (nil, one never used, false, true; 3 bin; 3 ext; 2 float; 8 uint and int; 5 fixext; 3 str):
/** bytes of the length behind the head, */
const LENGTH_BYTES = [0, -1, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4];
/** and bytes that follow besides what the length says. */
const FIXED_BYTES = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0];

/** True when `bytes[start, end)` is one whole MessagePack value of any type, and nothing behind it. */
export function isOneValue(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  // Values still to come. Each takes a byte at least, so this ends.
  for (let left = 1; left > 0; left--) {
    if (at >= end) return false;
    const head = bytes[at++]!;
    if (head <= 0x7f || head >= 0xe0) continue;
    if (head <= 0x8f) left += 2 * (head & 0x0f);
    else if (head <= 0x9f) left += head & 0x0f;
    else if (head <= 0xbf) at += head & 0x1f;
    else if (head >= 0xdc) {
      const lengthBytes = head % 2 === 0 ? 2 : 4;
      if (at + lengthBytes > end) return false;
      left += bytes.readUIntBE(at, lengthBytes) * (head >= 0xde ? 2 : 1);
      at += lengthBytes;
    } else {
      const lengthBytes = LENGTH_BYTES[head - 0xc0]!;
      if (lengthBytes < 0 || at + lengthBytes > end) return false;
      at +=
        FIXED_BYTES[head - 0xc0]! + lengthBytes + (lengthBytes === 0 ? 0 : bytes.readUIntBE(at, lengthBytes));
    }
  }
  return at === end;
}

/** Bytes after the head of a MessagePack integer, or -1 for another type. */
export function integerBytes(head: number): number {
  if (head <= 0x7f || head >= 0xe0) return 0;
  if (head >= 0xcc && head <= 0xcf) return 1 << (head - 0xcc);
  if (head >= 0xd0 && head <= 0xd3) return 1 << (head - 0xd0);
  return -1;
}

/** The integer, exact or not a safe integer at all. */
export function readInteger(bytes: Buffer, at: number): number {
  const head = bytes[at]!;
  if (head <= 0x7f) return head;
  switch (head) {
    case 0xcc:
      return bytes.readUInt8(at + 1);
    case 0xcd:
      return bytes.readUInt16BE(at + 1);
    case 0xce:
      return bytes.readUInt32BE(at + 1);
    case 0xcf:
      return bytes.readUInt32BE(at + 1) * 2 ** 32 + bytes.readUInt32BE(at + 5);
    case 0xd0:
      return bytes.readInt8(at + 1);
    case 0xd1:
      return bytes.readInt16BE(at + 1);
    case 0xd2:
      return bytes.readInt32BE(at + 1);
    case 0xd3:
      return bytes.readInt32BE(at + 1) * 2 ** 32 + bytes.readUInt32BE(at + 5);
    default:
      return head - 0x100;
  }
}
