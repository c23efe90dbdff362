// Appending: the order of calls, rolling over, and stopping for good at the first failure.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { SEGMENT_HEADER_BYTES } from '../core/journal-format.js';
import { VERDICT_CODES } from '../core/rows.js';
import { Span } from '../core/span.js';
import {
  AT,
  openJournal,
  recover,
  roundRow,
  SEGMENT_BYTES,
  temporaryDirectory,
  verdictRow,
} from './journal-fixture.js';
import { FrameBuilder } from './journal-frame.js';
import { preallocateSegments } from './journal-segments.js';
import { type JournalDisk, JournalFailed, JournalWriter } from './journal-writer.js';

const REAL: JournalDisk = {
  write: (fd, buffer, offset, length, position) => fs.writeSync(fd, buffer, offset, length, position),
  sync: (fd) => fs.fdatasyncSync(fd),
};

test('appends are one write and one sync each, in that order, and answer dense sequences', (t) => {
  const calls: string[] = [];
  const disk: JournalDisk = {
    write: (fd, buffer, offset, length, position) => {
      calls.push(`write ${length} at ${position}`);
      return REAL.write(fd, buffer, offset, length, position);
    },
    sync: (fd) => {
      calls.push(`sync, ${journal.head.durableSequence} durable`);
      REAL.sync(fd);
    },
  };
  const journal = openJournal(temporaryDirectory(), { disk });
  t.after(journal.remove);
  assert.equal(journal.append(roundRow(), verdictRow('a')), 1);
  assert.equal(journal.head.durableSequence, 2);
  assert.equal(journal.append(verdictRow('b')), 3);
  assert.deepEqual(
    calls.map((call) => call.replace(/^write \d+/, 'write')),
    [
      `write at ${SEGMENT_HEADER_BYTES}`,
      'sync, 0 durable',
      `write at ${recover(journal.dir).frames[1]!.offset}`,
      'sync, 2 durable',
    ],
  );
  const stats = journal.head.stats();
  assert.equal(stats.frames, 2);
  assert.equal(stats.rows, 3);
  assert.equal(stats.syncs, 2);
  assert.equal(
    stats.syncBuckets.reduce((a, b) => a + b, 0),
    2,
  );
});

test('a short write is continued where it stopped', (t) => {
  const disk: JournalDisk = {
    ...REAL,
    write: (fd, buffer, offset, length, position) =>
      REAL.write(fd, buffer, offset, Math.min(length, 37), position),
  };
  const journal = openJournal(temporaryDirectory(), { disk });
  t.after(journal.remove);
  journal.append(roundRow(), verdictRow('a'), verdictRow('b'));
  journal.append(verdictRow('c'));
  assert.equal(recover(journal.dir).rows.length, 4);
});

test('a full segment is followed by one that is ready, or by one made at once and counted', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  const { head, dir } = journal;
  assert.deepEqual(preallocateSegments(dir, head, SEGMENT_BYTES, 2), { ok: true, value: 2 });
  assert.deepEqual(preallocateSegments(dir, head, SEGMENT_BYTES, 2), { ok: true, value: 0 });
  journal.append(roundRow());
  while (head.segment < 2) journal.append(verdictRow(`i${head.nextSequence}`));
  assert.equal(head.stats().segmentsInline, 0);
  while (head.segment < 4) journal.append(verdictRow(`i${head.nextSequence}`));
  assert.equal(head.stats().segmentsInline, 2);
  assert.equal(head.segmentReady, 4);
  assert.equal(recover(dir).rows.length, head.durableSequence);
});

test('segments of another size than before are used as they are', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  journal.append(roundRow());
  const larger = openJournal(journal.dir, { segmentBytes: 2 * SEGMENT_BYTES });
  while (larger.head.segment < 2) larger.append(verdictRow(`i${larger.head.nextSequence}`));
  larger.writer.close();
  assert.equal(fs.statSync(`${journal.dir}/0000000000.seg`).size, SEGMENT_BYTES);
  assert.equal(fs.statSync(`${journal.dir}/0000000002.seg`).size, 2 * SEGMENT_BYTES);
  assert.equal(recover(journal.dir).rows.length, larger.head.durableSequence);
});

function failing(
  on: 'write' | 'sync',
  call: number,
  code: string,
): { disk: JournalDisk; calls: () => number } {
  let calls = 0;
  const attempt = (kind: 'write' | 'sync') => {
    if (kind !== on) return;
    calls += 1;
    if (calls === call) throw Object.assign(new Error(`${code}: injected`), { code });
  };
  const disk: JournalDisk = {
    write: (...args) => {
      attempt('write');
      return REAL.write(...args);
    },
    sync: (fd) => {
      attempt('sync');
      REAL.sync(fd);
    },
  };
  return { disk, calls: () => calls };
}

for (const [on, code] of [
  ['write', 'ENOSPC'],
  ['sync', 'EIO'],
] as const) {
  test(`the first failed ${on} ends the journal for every writer, and nothing is retried`, (t) => {
    const { disk, calls } = failing(on, 2, code);
    const journal = openJournal(temporaryDirectory(), { disk });
    t.after(journal.remove);
    const { head, dir } = journal;
    journal.append(roundRow());
    const failed = (error: unknown) =>
      error instanceof JournalFailed && error.code === 'journal-failed' && error.failure === on;
    assert.throws(() => journal.append(verdictRow('a')), failed);
    assert.equal(head.failure, on);
    assert.equal(head.durableSequence, 1, 'what failed is not durable');
    assert.throws(() => journal.append(verdictRow('b')), failed);
    const other = new JournalWriter(dir, head, { segmentBytes: SEGMENT_BYTES, epoch: 1 });
    const frame = new FrameBuilder();
    frame.add(verdictRow('c'));
    assert.throws(() => other.append(frame, AT), failed);
    assert.equal(calls(), 2);
    assert.equal(head.stats().failure, on);
  });
}

test('a disk that takes no bytes, a file that cannot be written and a missing segment are failures', (t) => {
  const stuck = openJournal(temporaryDirectory(), { disk: { ...REAL, write: () => 0 } });
  t.after(stuck.remove);
  assert.throws(() => stuck.append(roundRow()), /no more bytes/);
  assert.equal(stuck.head.failure, 'write');

  const readOnly = fs.openSync(`${stuck.dir}/0000000000.seg`, 'r');
  t.after(() => fs.closeSync(readOnly));
  const disk: JournalDisk = { ...REAL, write: (_fd, ...rest) => REAL.write(readOnly, ...rest) };
  const closed = openJournal(temporaryDirectory(), { disk });
  t.after(closed.remove);
  assert.throws(() => closed.append(roundRow()), /EBADF/);
  assert.equal(closed.head.failure, 'write');

  const gone = openJournal(temporaryDirectory());
  t.after(gone.remove);
  fs.rmSync(`${gone.dir}/0000000000.seg`);
  assert.throws(() => gone.append(roundRow()), /missing/);
  assert.equal(gone.head.failure, 'segment');
});

test('a segment that cannot be made is said by the upkeep first, and fails the append that needs it', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  const { head, dir } = journal;
  journal.append(roundRow());
  const moved = `${dir}-moved`;
  fs.renameSync(dir, moved);
  t.after(() => fs.rmSync(moved, { recursive: true }));
  const ahead = preallocateSegments(dir, head, SEGMENT_BYTES, 1);
  assert.ok(!ahead.ok);
  assert.match(ahead.error, /ENOENT/);
  assert.equal(head.failure, null);
  const fill = () => {
    while (head.segment === 0) journal.append(verdictRow(`i${head.nextSequence}`));
  };
  assert.throws(fill, JournalFailed);
  assert.equal(head.failure, 'segment');
  assert.equal(recover(moved).rows.length, head.durableSequence);
});

test('a writer that dies with the lock is noticed as a failure, not waited for without end', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  assert.ok(journal.head.lock(0));
  assert.equal(journal.head.lock(1), false);
  journal.head.unlock();
  assert.ok(journal.head.lock(1));
  journal.head.unlock();
});

test('a frame grows to its bound and no further', () => {
  const frame = new FrameBuilder();
  const [investor, key] = [new Span(), new Span()];
  investor.setText('i'.repeat(128));
  key.setText('k'.repeat(64));
  let rows = 0;
  while (frame.hasRoom) {
    frame.addVerdict(AT, 1, VERDICT_CODES.accepted, 500, 0, investor, key);
    rows += 1;
  }
  assert.equal(frame.count, rows);
  assert.throws(() => {
    for (let i = 0; i < 100; i++) frame.add(verdictRow(investor.text()));
  }, /bound/);
  frame.reset();
  assert.equal(frame.count, 0);
});
