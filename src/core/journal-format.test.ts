// The headers of segments and frames: read back as written, and every flipped bit noticed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeFrameHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC_BYTES,
  frameBytes,
  frameIsWhole,
  sealFrame,
} from './journal-format.js';
import { getU53, putU53 } from './little-endian.js';

const HEADER = { index: 7, segmentBytes: 67_108_864, journalId: 'k3m9x0ab' };

function frameOf(payload: Uint8Array): Buffer {
  const buffer = Buffer.alloc(frameBytes(payload.length), 0xa5);
  buffer.set(payload, FRAME_HEADER_BYTES);
  sealFrame(buffer, payload.length, 0xdeadbeef, 2 ** 40 + 1, 3, 4, 2 ** 40, 1_763_900_000_123);
  return buffer;
}

test('a u53 keeps every safe integer and refuses what is above', () => {
  const bytes = Buffer.alloc(11);
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 3 }), (value, offset) => {
      putU53(bytes, offset, value);
      assert.equal(getU53(bytes, offset), value);
      assert.equal(bytes.readBigUInt64LE(offset), BigInt(value));
    }),
  );
  bytes.writeBigUInt64LE(2n ** 53n, 0);
  assert.equal(getU53(bytes, 0), -1);
});

test('a segment header reads back, and any flipped bit of it is noticed', () => {
  const bytes = encodeSegmentHeader(HEADER);
  assert.deepEqual(decodeSegmentHeader(bytes), { ok: true, value: HEADER });
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.ok(!decodeSegmentHeader(bytes).ok, `bit ${bit}`);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
  assert.ok(!decodeSegmentHeader(bytes.subarray(0, 4095)).ok);
});

test('a frame header reads back', () => {
  const buffer = frameOf(Buffer.from('thirteen byte'));
  assert.equal(buffer.length % 8, 0);
  assert.deepEqual(buffer.subarray(0, 4), Buffer.from(FRAME_MAGIC_BYTES));
  const header = decodeFrameHeader(buffer, 0);
  assert.ok(header !== null);
  assert.ok(frameIsWhole(buffer, 0, header));
  const { checksum, ...rest } = header;
  assert.ok(checksum > 0);
  assert.deepEqual(rest, {
    payloadLength: 13,
    previousChecksum: 0xdeadbeef,
    firstSequence: 2 ** 40 + 1,
    count: 3,
    epoch: 4,
    durableSequence: 2 ** 40,
    at: 1_763_900_000_123,
  });
});

test('any flipped bit of a frame, padding included, is noticed', () => {
  const roomy = Buffer.alloc(512);
  frameOf(Buffer.from('some payload of no length in particular')).copy(roomy);
  const length = frameBytes(39);
  for (let bit = 0; bit < length * 8; bit++) {
    roomy[bit >> 3]! ^= 1 << (bit & 7);
    const header = decodeFrameHeader(roomy, 0);
    const whole =
      header !== null && frameBytes(header.payloadLength) <= roomy.length && frameIsWhole(roomy, 0, header);
    assert.ok(!whole, `bit ${bit}`);
    roomy[bit >> 3]! ^= 1 << (bit & 7);
  }
});

test('a frame that claims to be synced before it was written is not made', () => {
  const buffer = Buffer.alloc(64);
  assert.throws(() => sealFrame(buffer, 16, 0, 5, 1, 0, 5, 0), /synced/);
  assert.throws(() => sealFrame(buffer, 17, 0, 5, 1, 0, 4, 0), /buffer/);
  assert.throws(() => sealFrame(buffer, 16, 0, 5, 0, 0, 4, 0), /row/);
});
