// Frames of every length, in whatever pieces they arrive.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, FrameDecoder, OPCODE } from './ws-frame.js';

/** Takes the mask off, as a server does, and returns the frame that a server would send. */
function serverFrame(frame: Buffer): { frame: Buffer; payload: Buffer } {
  assert.equal(frame[1]! & 0x80, 0x80, 'a client masks');
  const short = frame[1]! & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const mask = frame.subarray(2 + extended, 6 + extended);
  const payload = Buffer.from(frame.subarray(6 + extended).map((byte, i) => byte ^ mask[i & 3]!));
  const head = Buffer.from(frame.subarray(0, 2 + extended));
  head[1] = short;
  return { frame: Buffer.concat([head, payload]), payload };
}

const LENGTHS = [0, 1, 3, 4, 125, 126, 127, 65_535, 65_536, 70_001];

test('frames of every kind of length come through, in whatever pieces', () => {
  for (const length of LENGTHS) {
    const payload = Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 255));
    const { frame } = serverFrame(encodeFrame(OPCODE.binary, payload));
    for (const size of [1, 7, 1_000, frame.length * 2]) {
      if (size === 1 && length > 1_000) continue;
      const decoder = new FrameDecoder();
      const seen: Buffer[] = [];
      const twice = Buffer.concat([frame, frame]);
      const buffer = Buffer.alloc(size);
      for (let at = 0; at < twice.length; at += size) {
        const bytes = twice.copy(buffer, 0, at, at + size);
        assert.ok(
          decoder.push(buffer.subarray(0, bytes), (opcode, part) => {
            assert.equal(opcode, OPCODE.binary);
            seen.push(Buffer.from(part));
          }),
        );
      }
      assert.equal(seen.length, 2, `length ${length} in pieces of ${size}`);
      assert.deepEqual(seen[0], payload);
      assert.deepEqual(seen[1], payload);
    }
  }
});

test('the payload that a server unmasks is the payload that was sent', () => {
  for (const length of LENGTHS) {
    const payload = Buffer.alloc(length, 0x5a);
    assert.deepEqual(serverFrame(encodeFrame(OPCODE.text, payload)).payload, payload);
  }
});

test('masked, fragmented and oversize frames from a server are refused', () => {
  const refuse = (bytes: number[]): void => {
    assert.equal(
      new FrameDecoder().push(Buffer.from(bytes), () => assert.fail('no frame')),
      false,
    );
  };
  refuse([0x81, 0x80, 0, 0, 0, 0]);
  refuse([0x01, 0x01, 0x61]);
  refuse([0xc1, 0x01, 0x61]);
  refuse([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]);
});
