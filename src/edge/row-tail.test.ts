// A tail writes every row of the journal, in chunks that may arrive in any order, and never says that it has come
// further than it has.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type JournalPosition, journalStart } from '../core/journal-format.js';
import {
  REPLICATION_RETRY_MAX_MS,
  REPLICATION_RETRY_MIN_MS,
  REPLICATION_WINDOW_ROWS,
} from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { RowsFailure, RowsWritten } from '../engines/rows.js';
import {
  openJournal,
  patch,
  roundRow,
  type TestJournal,
  temporaryDirectory,
  verdictRow,
} from '../workers/journal-fixture.js';
import { RowTail, type RowTailOptions, type TailRow } from './row-tail.js';

const AWAY: RowsFailure = { code: 'unavailable', message: 'away' };

let journal: TestJournal;
beforeEach(() => {
  journal = openJournal(temporaryDirectory(), { segmentBytes: 1_048_576 });
});
afterEach(() => journal.remove());

type Answer = (result: Result<RowsWritten, RowsFailure>) => void;

class World {
  readonly writes: { sequences: number[]; answer: Answer }[] = [];
  readonly advances: number[] = [];
  readonly epochs: string[] = [];
  readonly delays: { ms: number; end: () => void }[] = [];
  readonly tail: RowTail;

  constructor(changes: Partial<RowTailOptions> = {}) {
    this.tail = new RowTail({
      journalDir: journal.dir,
      journalId: journal.head.journalId,
      from: journalStart(journal.head.journalId),
      limit: () => journal.head.durableSequence,
      chunkRows: 3,
      chunksMax: 3,
      onEpoch: async (epoch, sequence) => {
        this.epochs.push(`${epoch}@${sequence}`);
        return true;
      },
      write: (rows: readonly TailRow[]) =>
        new Promise((answer) => this.writes.push({ sequences: rows.map(({ row }) => row.sequence), answer })),
      onAdvance: ({ nextSequence }: JournalPosition) => this.advances.push(nextSequence - 1),
      onWritten: () => undefined,
      delay: (ms) => new Promise((end) => this.delays.push({ ms, end })),
      random: () => 0,
      ...changes,
    });
  }

  async answer(at: number, result: Result<RowsWritten, RowsFailure>): Promise<void> {
    this.writes[at]!.answer(result);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const WRITTEN = ok({ rows: 1, batches: 1 });

function fill(frames: number, rowsPerFrame: number): void {
  journal.append(roundRow());
  for (let i = 0; i < frames; i++) {
    journal.append(...Array.from({ length: rowsPerFrame }, (_, j) => verdictRow(`i-${i}-${j}`)));
  }
}

test('chunks are whole frames, a bounded number at a time, and the rest follows', async () => {
  fill(8, 2);
  const { tail, writes, epochs, answer } = bound(new World());
  assert.equal(await tail.fill(), null);
  assert.deepEqual(
    writes.map(({ sequences }) => sequences),
    [
      [1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ],
  );
  assert.deepEqual([epochs, tail.rowsInFlight, tail.isCaughtUp], [['1@1'], 11, false]);
  await tail.fill();
  assert.equal(writes.length, 3, 'no more than the bound');
  for (let at = 0; at < writes.length; at++) {
    await answer(at, WRITTEN);
    await tail.fill();
  }
  assert.equal(writes.length, 5);
  assert.deepEqual([tail.isCaughtUp, tail.rowsInFlight, tail.oldestAtMs], [true, 0, 0]);
});

test('it has come as far as the first chunk that has not arrived', async () => {
  fill(8, 2);
  const { tail, advances, answer } = bound(new World());
  await tail.fill();
  assert.ok(tail.oldestAtMs > 0);
  await answer(1, WRITTEN);
  await answer(2, WRITTEN);
  assert.deepEqual([advances, tail.position.nextSequence], [[], 1]);
  await answer(0, WRITTEN);
  assert.deepEqual([advances, tail.position.nextSequence], [[11], 12]);
  await tail.fill();
  await answer(3, WRITTEN);
  assert.equal(tail.position.nextSequence, 16);
});

test('a chunk in between that has not arrived holds up those behind it', async () => {
  fill(8, 2);
  const { tail, advances, answer } = bound(new World());
  await tail.fill();
  await answer(0, WRITTEN);
  await answer(2, WRITTEN);
  assert.deepEqual([advances, tail.position.nextSequence], [[3], 4]);
  await answer(1, WRITTEN);
  assert.deepEqual(advances, [3, 11]);
});

test('a chunk that fails is written again for ever, ever later up to a bound, and the others go on', async () => {
  fill(4, 3);
  const { tail, writes, delays, advances, answer } = bound(new World({ chunksMax: 2 }));
  await tail.fill();
  await answer(1, WRITTEN);
  let at = 0;
  for (let i = 0; i < 12; i++) {
    await answer(at, err(AWAY));
    const { ms, end } = delays[i]!;
    assert.equal(ms, Math.min(REPLICATION_RETRY_MIN_MS * 2 ** i, REPLICATION_RETRY_MAX_MS));
    end();
    await new Promise((resolve) => setImmediate(resolve));
    at = writes.length - 1;
    assert.deepEqual(writes[at]?.sequences, writes[0]?.sequences);
  }
  assert.deepEqual(advances, []);
  await answer(at, WRITTEN);
  assert.equal(advances.length, 1);
});

test('what is read ahead of what has arrived is bounded in rows', async () => {
  journal.append(roundRow());
  const frames = Math.ceil(REPLICATION_WINDOW_ROWS / 5_000) + 3;
  for (let i = 0; i < frames; i++) {
    journal.append(...Array.from({ length: 5_000 }, (_, j) => verdictRow(`i-${i}-${j}`)));
  }
  const { tail, writes } = bound(new World({ chunksMax: 100, chunkRows: 1 }));
  await tail.fill();
  assert.ok(
    tail.rowsInFlight >= REPLICATION_WINDOW_ROWS && tail.rowsInFlight < REPLICATION_WINDOW_ROWS + 5_000,
  );
  assert.ok(writes.length < frames);
});

test('nothing beyond the limit is read, and nothing after a stop is sent', async () => {
  fill(3, 2);
  let limit = 3;
  const { tail, writes, answer } = bound(new World({ limit: () => limit }));
  await tail.fill();
  assert.deepEqual(
    writes.flatMap(({ sequences }) => sequences),
    [1, 2, 3],
  );
  await answer(0, WRITTEN);
  assert.equal(tail.isCaughtUp, true);
  limit = 7;
  assert.equal(tail.isCaughtUp, false);
  tail.stop();
  await tail.fill();
  assert.equal(writes.length, 1);
});

test('an epoch that is turned down, and a journal that is damaged, end it with a reason', async () => {
  fill(3, 2);
  const refused = bound(new World({ onEpoch: async () => false }));
  assert.match((await refused.tail.fill()) ?? '', /epoch 1 may not be written/);
  assert.deepEqual(refused.writes, []);
  patch(journal.dir, 0, 4096 + 60, Buffer.from([1, 2, 3]));
  const damaged = bound(new World());
  assert.match((await damaged.tail.fill()) ?? '', /damaged in segment 0/);
});

/** A world whose method may be taken out. */
function bound(world: World) {
  const { tail, writes, advances, epochs, delays } = world;
  return { tail, writes, advances, epochs, delays, answer: world.answer.bind(world) };
}
