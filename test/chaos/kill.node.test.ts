// The short form of the kill test; test/chaos/kill.ts is the long one.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { temporaryDataDir } from '../harness/node-process.js';
import { runKills } from './kill-run.js';

test('kill -9 of edge and ledger under load loses nothing and doubles nothing', async (t) => {
  const seed = randomInt(0xffff_ffff);
  t.diagnostic(`seed ${seed}`);
  const { dataDir, remove } = await temporaryDataDir();
  const lines: string[] = [];
  const log = (text: string): void => void lines.push(text);
  const summary = await runKills({ edgeKills: 6, ledgerKills: 3, seed, dataDir, log });
  assert.deepEqual(summary.problems, [], `seed ${seed}, data kept in ${dataDir}\n${lines.join('\n')}`);
  assert.ok(summary.accepted > 100, 'there was load');
  assert.ok(summary.unknowns > 0, 'the kills were felt');
  t.diagnostic(JSON.stringify(summary));
  await remove();
});
