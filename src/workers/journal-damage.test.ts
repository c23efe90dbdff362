// What had been synced and is not there any more, or not the same, is found and named; never served, never cut.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../core/journal-format.js';
import {
  filledJournal,
  openJournal,
  patch,
  peek,
  recover,
  SEGMENT_BYTES,
  snapshot,
  type TestJournal,
  temporaryDirectory,
} from './journal-fixture.js';
import { createSegment, segmentPath } from './journal-segments.js';
import { verifyJournal } from './journal-verify.js';

const FRAMES = 80;
let journal: TestJournal;
let dir: string;

beforeEach(() => {
  journal = filledJournal(FRAMES);
  dir = journal.dir;
});

afterEach(() => journal.remove());

function assertDamage(expected: {
  segment: number;
  offset?: number;
  sequence?: number | null;
  reason: RegExp;
}): void {
  const before = snapshotBytes();
  const { result, rows } = recover(dir);
  assert.ok(!result.ok, 'damage must be found');
  assert.equal(result.error.segment, expected.segment);
  if (expected.offset !== undefined) assert.equal(result.error.offset, expected.offset);
  if (expected.sequence !== undefined) assert.equal(result.error.expectedSequence, expected.sequence);
  assert.match(result.error.reason, expected.reason);
  assert.deepEqual(rows, [], 'a damaged journal serves nothing');
  assert.ok(before.equals(snapshotBytes()), 'a damaged journal is left as it is');
  assert.notEqual(verifyJournal(dir, Number.POSITIVE_INFINITY).damage, null);
}

function snapshotBytes(): Buffer {
  return Buffer.concat(
    fs
      .readdirSync(dir)
      .sort()
      .map((name) => fs.readFileSync(`${dir}/${name}`)),
  );
}

test('every flipped bit of the frames is damage, or cuts the last frame; no other row is ever read', () => {
  const all = recover(dir);
  const last = all.frames.at(-1)!;
  const served: number[] = [];
  for (const { segment, offset, bytes } of [all.frames[0]!, all.frames[1]!, all.frames[40]!, last]) {
    const good = Buffer.from(peek(dir, segment, offset, bytes));
    for (let bit = 0; bit < bytes * 8; bit++) {
      const bad = Buffer.from(good);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      patch(dir, segment, offset, bad);
      served.length = 0;
      const report = verifyJournal(dir, Number.POSITIVE_INFINITY, (row) => served.push(row.sequence));
      const at = all.frames.find((frame) => frame.segment === segment && frame.offset === offset)!;
      assert.equal(served.length, at.firstSequence - 1, `bit ${bit}`);
      if (at === last) {
        assert.equal(report.damage, null);
        assert.ok(report.torn !== null);
      } else {
        assert.equal(report.damage?.expectedSequence, at.firstSequence);
        assert.equal(report.damage?.offset, offset);
        assert.equal(report.damage?.segment, segment);
      }
    }
    patch(dir, segment, offset, good);
  }
});

test('a flipped bit in the middle is damage for a start too, which names it and changes nothing', () => {
  const { frames } = recover(dir);
  const frame = frames[30]!;
  const byte = peek(dir, frame.segment, frame.offset + FRAME_HEADER_BYTES, 1);
  patch(dir, frame.segment, frame.offset + FRAME_HEADER_BYTES, Buffer.from([byte[0]! ^ 4]));
  assertDamage({ ...frame, sequence: frame.firstSequence, reason: /checksum.*proves/ });
});

test('a hole of zeros is damage, also one that swallows whole segments', () => {
  const { frames } = recover(dir);
  const restore = snapshot(dir);
  const frame = frames[10]!;
  patch(dir, frame.segment, frame.offset, Buffer.alloc(frame.bytes));
  assertDamage({ ...frame, sequence: frame.firstSequence, reason: /no frame.*proves/ });
  restore();
  patch(dir, 0, frame.offset, Buffer.alloc(SEGMENT_BYTES - frame.offset));
  patch(dir, 1, SEGMENT_HEADER_BYTES, Buffer.alloc(SEGMENT_BYTES - SEGMENT_HEADER_BYTES));
  assertDamage({ ...frame, segment: 0, sequence: frame.firstSequence, reason: /proves/ });
});

test('swapped and repeated frames are damage', () => {
  const { frames } = recover(dir);
  const restore = snapshot(dir);
  const [a, b] = [frames[11]!, frames[13]!];
  assert.equal(a.bytes, b.bytes, 'the fixture has frames of equal size');
  const [first, second] = [peek(dir, 0, a.offset, a.bytes), peek(dir, 0, b.offset, b.bytes)];
  patch(dir, 0, a.offset, second);
  patch(dir, 0, b.offset, first);
  assertDamage({ ...a, sequence: a.firstSequence, reason: /sequence/ });
  restore();
  patch(dir, 0, b.offset, first);
  assertDamage({ ...b, sequence: b.firstSequence, reason: /sequence/ });
});

test('files: cut short at any place, missing in the middle, renamed or of another journal are named', () => {
  const restore = snapshot(dir);
  for (const size of [0, 1, 4095, 4096, 4097, 6000, SEGMENT_BYTES - 1]) {
    fs.truncateSync(segmentPath(dir, 1), size);
    assertDamage({ segment: 1, reason: /bytes|cut short/ });
    restore();
  }
  fs.rmSync(segmentPath(dir, 1));
  assertDamage({ segment: 1, reason: /missing/ });
  restore();
  fs.rmSync(segmentPath(dir, 0));
  assertDamage({ segment: 0, reason: /missing/ });
  restore();
  fs.renameSync(segmentPath(dir, 1), `${dir}/x`);
  fs.renameSync(segmentPath(dir, 2), segmentPath(dir, 1));
  fs.renameSync(`${dir}/x`, segmentPath(dir, 2));
  assertDamage({ segment: 1, reason: /holds segment 2/ });
  restore();
  const other = openJournal(temporaryDirectory());
  createSegment(other.dir, { index: 1, segmentBytes: SEGMENT_BYTES, journalId: other.head.journalId });
  fs.copyFileSync(segmentPath(other.dir, 1), segmentPath(dir, 1));
  other.remove();
  assertDamage({ segment: 1, reason: /belongs to journal/ });
  restore();
  patch(dir, 2, 20, Buffer.from([9]));
  assertDamage({ segment: 2, reason: /checksum/ });
});

test('a last segment cut short at every byte is never accepted', () => {
  const { frames } = recover(dir);
  const last = frames.at(-1)!;
  const restore = snapshot(dir);
  fs.rmSync(segmentPath(dir, last.segment + 1));
  for (let size = SEGMENT_BYTES - 1; size > last.offset - 200; size -= 7) {
    fs.truncateSync(segmentPath(dir, last.segment), size);
    assert.ok(!recover(dir).result.ok);
  }
  restore();
});
