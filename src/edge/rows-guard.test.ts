// A start looks at whose rows are in the store, and goes on only where they are its own or there are none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EpochEntry } from '../core/epochs.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok } from '../core/result.js';
import { guardRows } from './rows-guard.js';

const entry = (epoch: number, journalId: string): EpochEntry => ({
  epoch,
  journalId,
  firstSequence: 1,
  builtAfter: 0,
  ack: 'journal',
  at: 0,
});

async function guard(
  found: readonly EpochEntry[] | 'unavailable' | 'refused',
  changes: { hasRows?: boolean; epoch?: number } = {},
): Promise<string> {
  const epochs = async () =>
    typeof found === 'string' ? err({ code: found, message: 'no answer' }) : ok(found);
  const result = await guardRows(
    { epochs },
    {
      journalId: 'mine1234',
      lineage: [
        { journalId: 'earlier1', firstSequence: 1 },
        { journalId: 'mine1234', firstSequence: 9 },
      ],
      hasRows: true,
      epoch: 5,
      cluster: 'openbell',
      ...changes,
    },
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
  assert.match(await guard('unavailable', { hasRows: false }), new RegExp(`^${EXIT.unavailable} .* is new`));
});

test('a store that is not set up is a matter of configuration, whatever the journal holds', async () => {
  assert.match(await guard('refused'), new RegExp(`^${EXIT.config} .*openbell migrate`));
  assert.match(await guard('refused', { hasRows: false }), new RegExp(`^${EXIT.config} `));
});
