// SIGSTOP of nsqd, Cassandra, etcd, the ledger and the edge, each for longer than its timeouts, in a seeded order, during a
// rush. test/chaos/engines.ts is the long form, with kills and pauses in one run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertShown, engineChaos, skipWithoutEngines } from './engine-chaos.js';

test('five pauses of each engine, the ledger and the edge lose nothing and double nothing', {
  skip: skipWithoutEngines,
}, async (t) => {
  const summary = await engineChaos(t, 'pause');
  assert.deepEqual(summary.problems, []);
  assertShown(summary, 'pause');
});
