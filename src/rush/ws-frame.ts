// WebSocket frames (RFC 6455), the client's side: masked out, unmasked in, no fragments and no extensions.
//
//   byte 0        byte 1                 then
//   FIN + opcode  MASK + 7-bit length    16- or 64-bit length | 4 bytes of mask (client only) | payload

import { RUSH_RESPONSE_BYTES_MAX } from '../core/limits.js';

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const EMPTY: Buffer = Buffer.alloc(0);
const FIN = 0x80;
const MASKED = 0x80;
let maskState = 0x9e3779b9;

/** One whole frame, masked. The mask need not be secret here: it guards proxies against a page's script, not a tool. */
export function encodeFrame(opcode: number, payload: Uint8Array): Buffer {
  const length = payload.length;
  const headBytes = length < 126 ? 6 : length < 65_536 ? 8 : 14;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = FIN | opcode;
  if (length < 126) {
    frame[1] = MASKED | length;
  } else if (length < 65_536) {
    frame[1] = MASKED | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = MASKED | 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  maskState = (Math.imul(maskState, 1_664_525) + 1_013_904_223) >>> 0;
  frame.writeUInt32BE(maskState, headBytes - 4);
  const [a, b, c, d] = [maskState >>> 24, (maskState >>> 16) & 255, (maskState >>> 8) & 255, maskState & 255];
  let i = 0;
  for (; i + 3 < length; i += 4) {
    frame[headBytes + i] = (payload[i] as number) ^ a;
    frame[headBytes + i + 1] = (payload[i + 1] as number) ^ b;
    frame[headBytes + i + 2] = (payload[i + 2] as number) ^ c;
    frame[headBytes + i + 3] = (payload[i + 3] as number) ^ d;
  }
  for (; i < length; i++)
    frame[headBytes + i] = (payload[i] as number) ^ (frame[headBytes - 4 + (i & 3)] as number);
  return frame;
}

/** Feed it what arrives; it hands on whole frames. */
export class FrameDecoder {
  #held: Buffer = EMPTY;

  /** False when the bytes are not what a server may send; the connection is then of no more use. */
  push(chunk: Buffer, onFrame: (opcode: number, payload: Buffer) => void): boolean {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (data.length - at >= 2) {
      const first = data[at] as number;
      const second = data[at + 1] as number;
      if ((first & 0xf0) !== FIN || (second & MASKED) !== 0) return false;
      let start = at + 2;
      let length = second;
      if (second === 126) {
        if (data.length - at < 4) break;
        length = data.readUInt16BE(at + 2);
        start = at + 4;
      } else if (second === 127) {
        if (data.length - at < 10) break;
        length = data.readUInt32BE(at + 2) * 4_294_967_296 + data.readUInt32BE(at + 6);
        start = at + 10;
      }
      if (length > RUSH_RESPONSE_BYTES_MAX) return false;
      if (data.length - start < length) break;
      onFrame(first & 0x0f, data.subarray(start, start + length));
      at = start + length;
    }
    this.#held = at === data.length ? EMPTY : Buffer.from(data.subarray(at)); // the caller's buffer is used again
    return true;
  }
}
