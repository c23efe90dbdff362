// What a start makes of a journal that ends well, was torn, or ends before what others know.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { FRAME_HEADER_BYTES } from '../core/journal-format.js';
import {
  filledJournal,
  openJournal,
  patch,
  peek,
  recover,
  SEGMENT_BYTES,
  type TestJournal,
  verdictRow,
} from './journal-fixture.js';
import { segmentPath } from './journal-segments.js';
import { verifyJournal } from './journal-verify.js';

const FRAMES = 80;
let journal: TestJournal;
let dir: string;

beforeEach(() => {
  journal = filledJournal(FRAMES);
  dir = journal.dir;
});

afterEach(() => journal.remove());

test('an untouched journal is recovered whole, from the start or from any position', () => {
  const all = recover(dir);
  assert.ok(all.value !== null);
  assert.equal(all.value.torn, null);
  assert.equal(all.frames.length, FRAMES + 1);
  assert.deepEqual(
    all.rows.map((row) => row.sequence),
    all.rows.map((_, i) => i + 1),
  );
  assert.ok(all.value.end.segment >= 2, 'the fixture rolls over');
  assert.equal(all.value.lastSegment, all.value.end.segment + 1);
  assert.equal(all.value.end.nextSequence, journal.head.nextSequence);
  const again = recover(dir, all.value.end);
  assert.deepEqual(again.value?.end, all.value.end);
  assert.deepEqual(again.rows, []);
});

test('a tail replay gives exactly what follows, from behind each frame', () => {
  const all = recover(dir);
  for (const frame of all.frames.slice(1)) {
    const previousChecksum = peek(dir, frame.segment, frame.offset + 12, 4).readUInt32LE();
    const before = all.frames[all.frames.indexOf(frame) - 1]!;
    const from = {
      segment: before.segment,
      offset: before.offset + before.bytes,
      nextSequence: frame.firstSequence,
      previousChecksum,
    };
    const tail = recover(dir, from);
    assert.deepEqual(
      tail.rows,
      all.rows.filter((row) => row.sequence >= frame.firstSequence),
    );
  }
});

test('a torn last frame is cut at every length, said so, and appending goes on there', () => {
  const all = recover(dir);
  const last = all.frames.at(-1)!;
  const whole = Buffer.from(peek(dir, last.segment, last.offset, last.bytes));
  const padded = peek(dir, last.segment, last.offset + whole.length - 8, 8).equals(Buffer.alloc(8)) ? 8 : 0;
  for (let kept = 0; kept < whole.length - padded; kept++) {
    const torn = Buffer.alloc(whole.length);
    whole.copy(torn, 0, 0, kept);
    if (torn.equals(whole)) continue;
    patch(dir, last.segment, last.offset, torn);
    const cut = recover(dir);
    assert.ok(cut.value !== null);
    assert.equal(cut.value.end.nextSequence, last.firstSequence);
    assert.equal(cut.value.end.offset, last.offset);
    assert.equal(cut.value.torn?.offset, kept === 0 ? undefined : last.offset);
    assert.ok(peek(dir, last.segment, last.offset, whole.length).equals(Buffer.alloc(whole.length)));
  }
  const reopened = openJournal(dir);
  assert.equal(reopened.append(verdictRow('after')), last.firstSequence);
  reopened.writer.close();
  assert.equal(recover(dir).rows.at(-1)?.sequence, last.firstSequence);
});

test('old valid frames of an earlier life behind the tail are cut, not read and not taken for a proof', () => {
  const { frames, rows } = recover(dir);
  const last = frames.at(-1)!;
  const old = frames[5]!;
  patch(dir, last.segment, last.offset + last.bytes, peek(dir, old.segment, old.offset, old.bytes));
  const after = recover(dir);
  assert.deepEqual(after.rows, rows);
  assert.equal(after.value?.torn?.bytes !== undefined && after.value.torn.bytes > 0, true);
  assert.ok(peek(dir, last.segment, last.offset + last.bytes, 64).equals(Buffer.alloc(64)));
});

test('a torn frame before a valid one that was never synced is cut with it', () => {
  const { frames } = recover(dir);
  const last = frames.at(-1)!;
  const before = frames.at(-2)!;
  assert.equal(before.segment, last.segment);
  // As if both had been in flight: the last frame does not know the one before it as synced.
  const bytes = Buffer.from(peek(dir, last.segment, last.offset, last.bytes));
  bytes.writeBigUInt64LE(BigInt(before.firstSequence - 1), 32);
  reseal(bytes);
  patch(dir, last.segment, last.offset, bytes);
  patch(dir, before.segment, before.offset + FRAME_HEADER_BYTES, Buffer.from([0xff]));
  const cut = recover(dir);
  assert.ok(cut.value !== null);
  assert.equal(cut.value.end.nextSequence, before.firstSequence);
  const length = last.offset + last.bytes - before.offset;
  assert.ok(peek(dir, before.segment, before.offset, length).equals(Buffer.alloc(length)));
  assert.equal(recover(dir).value?.torn, null);
});

test('stray bytes in space that was never used are cut; in a finished segment the check names them', () => {
  const all = recover(dir);
  const { end } = all.value!;
  patch(dir, end.segment, end.offset + 800, Buffer.from([1]));
  patch(dir, end.segment + 1, 6000, Buffer.from([1]));
  const cut = recover(dir);
  assert.deepEqual(cut.rows, all.rows);
  assert.deepEqual(cut.value?.torn, { segment: end.segment, offset: end.offset + 800, bytes: 2 });
  assert.equal(verifyJournal(dir, Number.POSITIVE_INFINITY).torn, null);
  patch(dir, 0, SEGMENT_BYTES - 1, Buffer.from([1]));
  assert.deepEqual(recover(dir).rows, all.rows);
  assert.match(verifyJournal(dir, Number.POSITIVE_INFINITY).damage?.reason ?? '', /finished segment/);
});

test('what others know to have been durable is a floor: below it the end is damage', () => {
  const all = recover(dir);
  assert.ok(all.value !== null);
  const reached = all.value.end.nextSequence - 1;
  assert.ok(recover(dir, null, reached).result.ok);
  const short = recover(dir, null, reached + 1);
  assert.ok(!short.result.ok);
  assert.match(short.result.error.reason, /known to have been durable/);
  const last = all.frames.at(-1)!;
  patch(dir, last.segment, last.offset, Buffer.alloc(last.bytes));
  assert.ok(!recover(dir, null, reached).result.ok, 'a lost last frame is not a torn tail when it was known');
  assert.ok(!recover(dir, all.value.end).result.ok, 'the position of the index is such knowledge');
  fs.rmSync(dir, { recursive: true });
  assert.ok(!recover(dir, null, 1).result.ok, 'a lost journal is not a new one');
});

test('what an interrupted creation left behind is removed', () => {
  const stray = `${segmentPath(dir, 9)}.00ff.tmp`;
  fs.writeFileSync(stray, 'x');
  assert.ok(recover(dir).result.ok);
  assert.ok(!fs.existsSync(stray));
});

function reseal(frame: Buffer): void {
  frame.writeUInt32LE(crc32(frame.subarray(12), frame.readUInt32LE(4)), 8);
}
