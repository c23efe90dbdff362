// What the tests of kills and of pauses share: the run, and what its summary must say.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { temporaryDataDir } from '../harness/node-process.js';
import { type EngineChaosSummary, runEngineChaos } from './engines-run.js';
import { type FaultKind, VICTIMS } from './fault-plan.js';

/** Of each victim. */
const EACH = 5;
const SEED_MAX = 0xffff_ffff;

export const skipWithoutEngines =
  skipWithoutEngine('cassandra') || skipWithoutEngine('etcd') || skipWithoutEngine('nsqd');

/** A rush with five faults of this kind for each process. The seed is OPENBELL_TEST_SEED, or a new one. */
export async function engineChaos(t: TestContext, kind: FaultKind): Promise<EngineChaosSummary> {
  const seed = Number(process.env['OPENBELL_TEST_SEED'] ?? randomInt(SEED_MAX));
  t.diagnostic(`seed ${seed}`);
  const { dataDir, remove } = await temporaryDataDir();
  const log = (text: string): void => t.diagnostic(text);
  const summary = await runEngineChaos({ seed, each: EACH, kinds: [kind], dataDir, books: 'lmdb', log });
  t.diagnostic(JSON.stringify(summary));
  if (summary.problems.length === 0) await remove();
  else t.diagnostic(`data kept in ${dataDir}`);
  return summary;
}

/** The run has shown what it is there to show. */
export function assertShown(summary: EngineChaosSummary, kind: FaultKind): void {
  const { faults, wentOn, felt, fencedUnasked, rowsBehind, outbox, accepted, verdictRows, keys } = summary;
  assert.deepEqual(faults, Object.fromEntries(VICTIMS.map((victim) => [`${victim} ${kind}`, EACH])));
  for (const victim of ['nsqd', 'cassandra', 'ledger'])
    assert.ok((wentOn[`${victim} ${kind}`] ?? 0) > 0, `no verdict without ${victim}`);
  assert.ok(Object.keys(felt).length > 0, 'the faults were felt');
  // Were NSQ or Cassandra a reason, it would fence itself with each of their faults.
  assert.ok(fencedUnasked < EACH, `fenced ${fencedUnasked} times for nothing`);
  assert.ok(rowsBehind > 0 && outbox > 0, 'the backlogs were shown');
  assert.ok(accepted > 1_000 && verdictRows >= keys, 'there was a rush');
}
