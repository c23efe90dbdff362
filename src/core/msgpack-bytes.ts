// The heads of MessagePack values (the format's own specification, msgpack.org), read in place.

/** Length of the MessagePack string at `at` if it is one and lies before `end`, else -1. */
export function stringHead(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return -1;
  const head = bytes[at]!;
  const headBytes = stringHeadBytes(head);
  if (headBytes === 0 || at + headBytes > end) return -1;
  const length =
    headBytes === 1 ? head & 0x1f : headBytes === 2 ? bytes[at + 1]! : bytes.readUInt16BE(at + 1);
  return at + headBytes + length <= end ? length : -1;
}

/** Bytes of the head of a string (fixstr, str 8, str 16); 0 for another type. A str 32 cannot fit a body. */
export function stringHeadBytes(head: number): number {
  if (head >= 0xa0 && head <= 0xbf) return 1;
  return head === 0xd9 ? 2 : head === 0xda ? 3 : 0;
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
