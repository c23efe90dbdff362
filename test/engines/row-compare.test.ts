// The rows in a store against the journal: every difference is named by its investment, and mended from the journal.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { investmentId, ownLineage } from '../../src/core/ids.js';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import type { Row } from '../../src/core/rows.js';
import { compareRows, type RowsCompared } from '../../src/edge/row-compare.js';
import { AT } from '../../src/workers/journal-fixture.js';
import type { MemoryRowStore } from './memory-row-store.js';
import { RebuildWorld } from './rebuild-world.js';
import type { ReplicatedJournal } from './replicated-journal.js';
import { value } from './rows-contract.js';

let world: RebuildWorld;
let store: MemoryRowStore;
let journal: ReplicatedJournal;
beforeEach(async () => {
  world = new RebuildWorld();
  store = world.store;
  journal = await world.lost(ROW_BUCKET_SEQUENCES + 500, 'journal');
});
afterEach(() => world.end());

async function compare(repair = false, upTo = journal.rows.length): Promise<RowsCompared> {
  const { dir: journalDir, journalId, cursorFile } = journal;
  return value(
    wrapped(
      await compareRows({
        places: { journalDir, journalId, lineage: ownLineage(journalId), cursorFile },
        store,
        upTo,
        repair,
        nowMs: () => AT,
        delay: async () => undefined,
      }),
    ),
  );
}

function wrapped<T>(result: { ok: true; value: T } | { ok: false; error: string }) {
  return result.ok ? result : { ok: false as const, error: { message: result.error } };
}

function kinds({ findings }: RowsCompared): Record<string, number> {
  return Object.fromEntries(findings.counts);
}

function change(sequence: number, changes: Partial<Row>): void {
  const entry = store.data.entries.get(`${sequence} 1`)!;
  store.data.entries.set(`${sequence} 1`, { ...entry, row: { ...entry.row, ...changes } as Row });
}

describe('an audit of the rows', () => {
  test('finds nothing where all are there, in every bucket', async () => {
    const compared = await compare();
    assert.deepEqual([kinds(compared), compared.missing, compared.differing], [{}, 0, 0]);
    assert.equal(compared.upTo, journal.rows.length);
  });

  test('names what is missing and what differs, by investment', async () => {
    store.data.entries.delete('7 1');
    store.data.entries.delete('2 1');
    change(11, { amount: 7 });
    const outcome = journal.rows.findLast((row) => row.kind === 'outcome')!;
    change(outcome.sequence, { eligible: false });
    const compared = await compare();
    assert.deepEqual(kinds(compared), { 'rows-missing': 2, 'rows-differ': 2 });
    assert.ok(outcome.kind === 'outcome');
    const id = (sequence: number): string => investmentId(journal.journalId, sequence);
    assert.deepEqual(
      compared.findings.list.map(({ investment, round, detail }) => [investment, round, detail]),
      [
        [undefined, 'second', 'row 2 (change of round second) is not in Cassandra'],
        [id(7), 'second', 'row 7 (verdict of investor-7) is not in Cassandra'],
        [id(11), 'second', 'row 11: amount is 7 in Cassandra, not 500'],
        [
          id(outcome.investment),
          outcome.round === 1 ? 'crowd' : 'second',
          `row ${outcome.sequence}: eligible is false in Cassandra, not true`,
        ],
      ],
    );
  });

  test('leaves alone what was on its way when it began', async () => {
    store.data.entries.delete(`${journal.rows.length} 1`);
    assert.deepEqual(kinds(await compare(false, journal.rows.length - 1)), {});
  });

  test('says that rows do not count, where a newer epoch decides', async () => {
    await world.claim(2, 'usurper1', 8_000, 'journal', 1);
    const compared = await compare();
    assert.equal(kinds(compared)['rows-missing'], journal.rows.length - 8_000 + 1);
    assert.match(compared.findings.list[0]!.detail, /row 8000 of epoch 1 does not count: .* epoch 2 decides/);
  });

  test('says why it could not be made', async () => {
    store.failure = { code: 'unavailable', message: 'no host answers' };
    await assert.rejects(compare(), /no host answers/);
  });
});

describe('a repair', () => {
  test('writes again exactly what differs, and then nothing does', async () => {
    for (const sequence of [1, 5, 900, ROW_BUCKET_SEQUENCES + 3]) store.data.entries.delete(`${sequence} 1`);
    change(12, { at: 5 });
    const dry = await compare();
    assert.deepEqual([dry.missing, dry.differing, dry.repaired], [4, 1, 0]);
    const writes: number[] = [];
    const write = store.write.bind(store);
    store.write = (entries) => {
      writes.push(...entries.map(({ row }) => row.sequence));
      return write(entries);
    };
    const mended = await compare(true);
    assert.deepEqual([mended.missing, mended.differing, mended.repaired], [4, 1, 5]);
    assert.deepEqual(writes, [1, 5, 12, 900, ROW_BUCKET_SEQUENCES + 3]);
    assert.deepEqual(kinds(await compare()), {});
  });

  test('puts an epoch on record that was lost, so that its rows count again', async () => {
    store.data.epochs.clear();
    const dry = await compare();
    assert.equal(kinds(dry)['rows-epoch'], 1);
    await compare(true);
    assert.deepEqual(kinds(await compare()), {});
    assert.deepEqual(
      value(await store.epochs()).map(({ epoch, journalId, firstSequence }) => [
        epoch,
        journalId,
        firstSequence,
      ]),
      [[1, journal.journalId, 1]],
    );
  });
});
