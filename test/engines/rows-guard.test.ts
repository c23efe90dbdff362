// A start looks at whose rows are in the store, and goes on only where they are its own and none is behind its end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EpochEntry } from '../../src/core/epochs.js';
import { EXIT } from '../../src/core/exit-codes.js';
import { REPLICATION_WINDOW_ROWS } from '../../src/core/limits.js';
import { type GuardedJournal, guardRows } from '../../src/edge/rows-guard.js';
import type { RowsFailure } from '../../src/engines/rows.js';
import { roundRow } from '../../src/workers/journal-fixture.js';
import { MemoryRowStore } from './memory-row-store.js';
import { entryOf, epochAt, value, verdictAt } from './rows-contract.js';

const entry = (epoch: number, journalId: string): EpochEntry => epochAt(epoch, journalId, 1);

/** @param sequences of rows of `epoch` that are there, besides the round's own */
async function storeWith(
  epochs: readonly EpochEntry[],
  sequences: readonly number[] = [],
  epoch = 4,
): Promise<MemoryRowStore> {
  const store = new MemoryRowStore();
  for (const one of epochs) value(await store.claimEpoch(one));
  const rows = [{ ...roundRow('created'), sequence: 1 }, ...sequences.map((at) => verdictAt(at))];
  value(await store.write(rows.map((row) => entryOf(row, epoch))));
  return store;
}

async function guard(
  found: readonly EpochEntry[] | RowsFailure['code'] | MemoryRowStore,
  changes: Partial<GuardedJournal> = {},
): Promise<string> {
  const store =
    found instanceof MemoryRowStore ? found : await storeWith(typeof found === 'string' ? [] : found);
  if (typeof found === 'string') store.failure = { code: found, message: 'no answer' };
  const result = await guardRows(
    store,
    {
      journalId: 'mine1234',
      lineage: [
        { journalId: 'earlier1', firstSequence: 1 },
        { journalId: 'mine1234', firstSequence: 9 },
      ],
      end: 20,
      epoch: 5,
      markedEpoch: 0,
      cluster: 'openbell',
      ...changes,
    },
    async () => undefined,
  );
  if (!result.ok) return `${result.error.exitCode} ${result.error.message}`;
  return result.value.warning === null ? 'goes on' : 'goes on, warned';
}

test('no rows, or rows of this journal or one before it: it goes on', async () => {
  assert.equal(await guard([]), 'goes on');
  assert.equal(await guard([entry(4, 'mine1234')]), 'goes on');
  assert.equal(await guard([entry(4, 'earlier1')]), 'goes on');
});

test('rows of another journal: it refuses, and says which', async () => {
  const text = await guard([entry(3, 'mine1234'), entry(4, 'other123')]);
  assert.match(
    text,
    new RegExp(`^${EXIT.internal} .*journal other123 .*journal here is mine1234.*--rebuild`),
  );
});

test('an epoch as new as its own: it refuses, unless this journal was built under it', async () => {
  assert.equal(await guard([entry(5, 'mine1234')]), 'goes on');
  assert.match(await guard([entry(5, 'earlier1')]), new RegExp(`^${EXIT.tryAgain} epoch 5 is on record`));
  assert.match(await guard([entry(8, 'mine1234')]), new RegExp(`^${EXIT.tryAgain} epoch 8 is on record`));
});

test('no answer: a journal with rows goes on and says so, a new one waits for an answer', async () => {
  assert.equal(await guard('unavailable'), 'goes on, warned');
  assert.match(await guard('unavailable', { end: 0 }), new RegExp(`^${EXIT.unavailable} .* is new`));
});

test('a store that is not set up is a matter of configuration, whatever the journal holds', async () => {
  assert.match(await guard('refused'), new RegExp(`^${EXIT.config} .*openbell migrate`));
  assert.match(await guard('refused', { end: 0 }), new RegExp(`^${EXIT.config} `));
});

test('rows of this journal behind its end: the disk was rolled back, and it refuses', async () => {
  const here = [entry(4, 'mine1234')];
  assert.equal(await guard(await storeWith(here, [18, 19, 20])), 'goes on');
  const rolledBack = new RegExp(
    `^${EXIT.internal} .*ends at sequence 20, .* up to 21 .*rolled back.*--rebuild`,
  );
  assert.match(await guard(await storeWith(here, [19, 20, 21])), rolledBack);
  const far = 20 + REPLICATION_WINDOW_ROWS;
  assert.match(await guard(await storeWith(here, [far])), new RegExp(`up to ${far} in Cassandra`));
  const control = await storeWith(here);
  value(await control.write([entryOf({ ...roundRow('closed'), sequence: 21 }, 4)]));
  assert.match(await guard(control), rolledBack);
});

test('rows behind its end that do not count are of a node that was superseded', async () => {
  const epochs = [entry(3, 'earlier1'), epochAt(4, 'mine1234', 9, 3)];
  assert.equal(await guard(await storeWith(epochs, [21, 22], 3)), 'goes on');
});

test('rows that cannot be read are said not to have been', async () => {
  const store = await storeWith([entry(4, 'mine1234')], [21]);
  store.bucketRows = async () => ({ ok: false, error: { code: 'unavailable', message: 'away' } });
  assert.equal(await guard(store), 'goes on, warned');
});

test('a takeover that came to nothing, behind which this journal went on: it goes on, warned', async () => {
  const epochs = [entry(2, 'mine1234'), epochAt(3, 'nothing1', 15, 2)];
  assert.equal(await guard(epochs, { markedEpoch: 4 }), 'goes on, warned');
  for (const markedEpoch of [0, 2, 3])
    assert.match(await guard(epochs, { markedEpoch }), /are of journal nothing1/);
});
