// At every sequence one epoch is in force, whatever order takeovers and losses came in.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EpochBook, type EpochEntry } from './epochs.js';

const entry = (epoch: number, journalId: string, firstSequence: number, builtAfter = 0): EpochEntry => ({
  epoch,
  journalId,
  firstSequence,
  builtAfter,
  ack: 'journal',
  at: 0,
});

test('restarts of one journal are one lineage, a takeover begins another', () => {
  const book = new EpochBook([
    entry(1, 'aaaaaaaa', 1),
    entry(2, 'aaaaaaaa', 40),
    entry(3, 'bbbbbbbb', 101, 2),
    entry(4, 'bbbbbbbb', 120),
  ]);
  assert.deepEqual(
    [1, 39, 40, 100, 101, 119, 120, 999].map((sequence) => book.at(sequence)?.epoch),
    [1, 1, 2, 2, 3, 3, 4, 4],
  );
  assert.ok(book.counts(100, 2) && !book.counts(101, 2), 'an old row at a new sequence does not count');
  assert.equal(book.begunAt, 120);
  assert.deepEqual(book.lineage(1000), [
    { journalId: 'aaaaaaaa', firstSequence: 1 },
    { journalId: 'bbbbbbbb', firstSequence: 101 },
  ]);
  assert.deepEqual(book.lineage(101), [{ journalId: 'aaaaaaaa', firstSequence: 1 }]);
});

test('an epoch that gave up rows supersedes all that had begun behind its start', () => {
  const book = new EpochBook([
    entry(7, 'cccccccc', 51, 6),
    entry(5, 'aaaaaaaa', 1),
    entry(6, 'bbbbbbbb', 101, 5),
  ]);
  assert.deepEqual(
    [50, 51, 101, 500].map((sequence) => book.at(sequence)?.epoch),
    [5, 7, 7, 7],
  );
  assert.deepEqual(
    book.lineage(1000)?.map(({ journalId }) => journalId),
    ['aaaaaaaa', 'cccccccc'],
  );
  assert.equal(book.newest?.epoch, 7);
});

test('nothing on record: nothing counts, and there is no lineage', () => {
  const book = new EpochBook([]);
  assert.deepEqual([book.newest, book.at(1), book.lineage(5), book.begunAt], [null, null, null, 1]);
  assert.equal(new EpochBook([entry(2, 'aaaaaaaa', 5)]).lineage(9), null, 'the beginning is missing');
});

describe('of another line, and counting nowhere, is an epoch', () => {
  test('of a node that was paused while it took over, and came after another had', () => {
    // It had read up to 99 when it was paused; row 100 arrived, and is in the other one's journal.
    const book = new EpochBook([
      entry(5, 'aaaaaaaa', 1),
      entry(6, 'bbbbbbbb', 100, 5),
      entry(7, 'cccccccc', 101, 5),
    ]);
    assert.ok(book.counts(100, 5) && !book.counts(100, 6));
    assert.deepEqual(
      book.lineage(1000)?.map(({ journalId, firstSequence }) => [journalId, firstSequence]),
      [
        ['aaaaaaaa', 1],
        ['cccccccc', 101],
      ],
    );
  });

  test('of a takeover that came to nothing, when the older journal has gone on', () => {
    const book = new EpochBook([
      entry(5, 'aaaaaaaa', 1),
      entry(6, 'bbbbbbbb', 100, 5),
      entry(7, 'aaaaaaaa', 151),
    ]);
    assert.deepEqual(
      [99, 100, 150, 151].map((sequence) => book.at(sequence)?.epoch),
      [5, 5, 5, 7],
    );
    assert.equal(book.lineage(1000)?.length, 1);
  });

  test('of an older journal that went on after it was taken over, however late it is put on record', () => {
    const book = new EpochBook([
      entry(4, 'aaaaaaaa', 40),
      entry(5, 'aaaaaaaa', 90),
      entry(6, 'aaaaaaaa', 95),
      entry(7, 'cccccccc', 101, 5),
      entry(8, 'cccccccc', 120),
      entry(1, 'aaaaaaaa', 1),
    ]);
    assert.deepEqual(
      [39, 40, 95, 100, 101, 120].map((sequence) => book.at(sequence)?.epoch),
      [1, 4, 5, 5, 7, 8],
    );
  });
});

test('in force is the newest epoch that begins at or before the sequence', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }), (firsts) => {
      const entries = firsts.map((first, i) => entry(i + 1, 'aaaaaaaa', first));
      const book = new EpochBook(entries);
      for (let sequence = 1; sequence <= 31; sequence++) {
        const expected = entries.filter(({ firstSequence }) => firstSequence <= sequence).at(-1);
        assert.equal(book.at(sequence)?.epoch, expected?.epoch);
      }
    }),
  );
});
