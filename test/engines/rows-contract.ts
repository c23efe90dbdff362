// What every row store must do, whatever it is made of: given as a suite that takes one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EpochEntry } from '../../src/core/epochs.js';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import { AMOUNT_MINOR_MAX } from '../../src/core/money.js';
import type { Row, VerdictRow } from '../../src/core/rows.js';
import type { InvestorRowEntry, RowEntry, RowStore, StoredRow } from '../../src/engines/rows.js';
import { AT, outcomeRow, roundRow, verdictRow } from '../../src/workers/journal-fixture.js';

export const CROWD = { id: 'crowd', number: 1 };

export function entryOf<T extends Row>(row: T, epoch = 1): RowEntry & { row: T } {
  return { row, epoch, round: row.kind === 'lineage' ? '' : CROWD.id };
}

/** A verdict at this sequence, of an investor and with a key of its own. */
export function verdictAt(sequence: number, changes: Partial<VerdictRow> = {}): VerdictRow {
  return verdictRow(`investor-${sequence}`, { sequence, ...changes });
}

export function epochAt(epoch: number, journalId: string, firstSequence: number, builtAfter = 0): EpochEntry {
  return { epoch, journalId, firstSequence, builtAfter, ack: 'replicated', at: AT };
}

/** The value of a result, or a failed test. */
export function value<T>(result: { ok: true; value: T } | { ok: false; error: { message: string } }): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

function rowsOf<T extends Row>(stored: readonly StoredRow<T>[]): T[] {
  return stored.map(({ row }) => {
    assert.ok(row.ok, row.ok ? '' : row.error);
    return row.value;
  });
}

/** Registers the tests; `open` gives a store with nothing in it, over the same data for the same name. */
export function rowsContract(open: (cluster: string) => RowStore): void {
  const withStore = async (cluster: string, work: (store: RowStore) => Promise<void>): Promise<void> => {
    const store = open(cluster);
    try {
      await work(store);
    } finally {
      await store.close();
    }
  };

  test('rows of every kind read back as they were written, the largest numbers included', () =>
    withStore('kinds', async (store) => {
      const rows = [
        verdictAt(2, { amount: AMOUNT_MINOR_MAX }),
        verdictAt(3, { verdict: 'round-full', amount: AMOUNT_MINOR_MAX, extra: AMOUNT_MINOR_MAX - 1 }),
        verdictAt(4, { verdict: 'already-invested', extra: 2 }),
        verdictAt(5, { verdict: 'not-eligible', investor: `"\\'${'x'.repeat(125)}` }),
        verdictAt(6, { verdict: 'insufficient-balance', key: 'K'.repeat(64) }),
        outcomeRow('investor-2', 2, {
          sequence: 7,
          amount: AMOUNT_MINOR_MAX,
          balance: AMOUNT_MINOR_MAX,
          balanceVersion: 9,
        }),
        outcomeRow('investor-9', 4, {
          sequence: 8,
          state: 'declined',
          reason: 'cap-exceeded',
          eligible: false,
          balance: 0,
          balanceVersion: 0,
        }),
      ];
      const created = roundRow('created', { name: 'Crowd “2026”', opensAt: AT, state: 'scheduled' });
      const control = [
        { ...created, sequence: 1 },
        { ...roundRow('opened'), sequence: 9 },
        {
          kind: 'lineage' as const,
          sequence: 10,
          at: AT,
          lineage: [
            { journalId: 'aaaaaaaa', firstSequence: 1 },
            { journalId: 'bbbbbbbb', firstSequence: 10 },
          ],
          lostThrough: 12,
        },
      ];
      const written = value(await store.write([...control, ...rows].map((row) => entryOf(row))));
      assert.equal(written.rows, 10);
      assert.deepEqual(rowsOf(value(await store.bucketRows(CROWD, 0))), rows);
      assert.deepEqual(rowsOf(value(await store.controlRows())), control);
    }));

  test('a row is in the bucket of its sequence, however many there are and however they were written', () =>
    withStore('buckets', async (store) => {
      const rows = Array.from({ length: 3_000 }, (_, i) => verdictAt(ROW_BUCKET_SEQUENCES - 1_500 + i));
      const shuffled = [...rows].sort(
        (a, b) => ((a.sequence * 7919) % 3_001) - ((b.sequence * 7919) % 3_001),
      );
      value(await store.write(shuffled.map((row) => entryOf(row))));
      const [first, second, third] = [0, 1, 2].map((bucket) => store.bucketRows(CROWD, bucket));
      assert.deepEqual(rowsOf(value(await first!)), rows.slice(0, 1_500));
      assert.deepEqual(rowsOf(value(await second!)), rows.slice(1_500));
      assert.deepEqual(value(await third!), []);
      assert.deepEqual(value(await store.bucketRows({ id: 'other', number: 2 }, 0)), []);
    }));

  test('writing again changes nothing, and another epoch overwrites nothing', () =>
    withStore('epochs', async (store) => {
      const old = verdictAt(5, { amount: 100 });
      const young = verdictAt(5, { amount: 200, investor: 'somebody-else' });
      value(await store.write([entryOf(old, 1)]));
      value(await store.write([entryOf(young, 2), entryOf(old, 1)]));
      const stored = value(await store.bucketRows(CROWD, 0));
      assert.deepEqual(
        stored.map(({ sequence, epoch, row }) => [sequence, epoch, row.ok && row.value.amount]),
        [
          [5, 1, 100],
          [5, 2, 200],
        ],
      );
    }));

  test('clusters in one keyspace do not see each other', async () => {
    await withStore('one', async (store) => {
      value(await store.write([entryOf(verdictAt(2)), entryOf({ ...roundRow(), sequence: 1 })]));
      value(await store.claimEpoch(epochAt(1, 'aaaaaaaa', 1)));
    });
    await withStore('other', async (store) => {
      assert.deepEqual(value(await store.bucketRows(CROWD, 0)), []);
      assert.deepEqual(value(await store.controlRows()), []);
      assert.deepEqual(value(await store.epochs()), []);
    });
  });

  test('an investor has their rows of a round, newest first', () =>
    withStore('investors', async (store) => {
      const rows = Array.from({ length: 400 }, (_, i) => ({
        ...entryOf(verdictAt(2 + i, { investor: `i-${i % 7}` })),
        investment: `aaaaaaaa-${(2 + i).toString(36)}`,
      })) satisfies InvestorRowEntry[];
      value(await store.writeByInvestor(rows));
      const mine = rows.map(({ row }) => row).filter(({ investor }) => investor === 'i-3');
      assert.deepEqual(rowsOf(value(await store.investorRows(CROWD, 'i-3', 1_000))), mine.reverse());
      assert.equal(value(await store.investorRows(CROWD, 'i-3', 5)).length, 5);
      assert.deepEqual(value(await store.investorRows(CROWD, 'nobody', 5)), []);
    }));

  test('an epoch is claimed once, whoever asks and how often', () =>
    withStore('claims', async (store) => {
      const mine = epochAt(3, 'aaaaaaaa', 10, 2);
      assert.deepEqual(value(await store.claimEpoch(mine)), { claimed: true });
      assert.deepEqual(value(await store.claimEpoch(mine)), { claimed: true });
      const other = value(await store.claimEpoch(epochAt(3, 'bbbbbbbb', 10)));
      assert.deepEqual(other, { claimed: false, by: mine });
      assert.equal(value(await store.claimEpoch(epochAt(3, 'aaaaaaaa', 11))).claimed, false);
      const racers = Array.from({ length: 8 }, (_, i) => epochAt(4, `journal${i}`, 20));
      const claims = await Promise.all(racers.map((racer) => store.claimEpoch(racer)));
      assert.equal(claims.filter((claim) => claim.ok && claim.value.claimed).length, 1);
      assert.deepEqual(
        value(await store.epochs()).map(({ epoch }) => epoch),
        [3, 4],
      );
    }));
}
