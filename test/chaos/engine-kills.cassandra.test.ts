// kill -9 of nsqd with all that it holds, of Cassandra, etcd, the ledger and the edge, in a seeded order, during a rush.
// test/chaos/engines.ts is the long form, with kills and pauses in one run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertShown, engineChaos, skipWithoutEngines } from './engine-chaos.js';

test('five kills of each engine, the ledger and the edge lose nothing and double nothing', {
  skip: skipWithoutEngines,
}, async (t) => {
  const summary = await engineChaos(t, 'kill');
  assert.deepEqual(summary.problems, []);
  assertShown(summary, 'kill');
});
