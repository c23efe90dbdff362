// The full rush: 100,000 attempts at 1,000 a second at a round of £20m, through a real nsqd, etcd and Cassandra, with the
// ledger at 2,000 a second. Then everything is counted: the answers that the clients saw, the journal, the rows in
// Cassandra, the outcomes and the books.
//
// The ledger's books are in LMDB, which keeps up. In Cassandra, beside the edge, the load and the server itself on two
// cores, the same rush passes as well and is settled half a minute later. Nothing here asserts a time: on a busy machine
// it just takes longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RushReport } from '../../src/rush/report.js';
import { metricOrNull } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { createRound } from '../harness/node-process.js';
import { startProduction } from '../harness/production.js';
import { sharedCassandra } from '../harness/shared-cassandra.js';
import { journalCensus, outcomeProblems, rowsCensus } from './census.js';
import { allReplicated } from './edge-rows.js';
import { testOptions } from './keyspace.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra') || skipWithoutEngine('etcd') || skipWithoutEngine('nsqd');
const ATTEMPTS = 100_000;
const RATE_PER_S = 1_000;
const LEDGER_RATE_PER_S = 2_000;
const INVESTORS = 36_000;
const CAP = 2_000_000_000;
const SEED = 20;

test(`a rush of ${ATTEMPTS} through nsqd, etcd and Cassandra`, { skip }, async (t) => {
  const shared = await sharedCassandra();
  t.after(() => shared.release());
  const keyspace = shared.keyspaceName();
  const world = await startProduction({
    contactPoint: shared.contactPoint,
    keyspace,
    env: { OPENBELL_LEDGER_RATE: `${LEDGER_RATE_PER_S}` },
  });
  t.after(() => world.remove());
  const ledger = await world.startLedger();
  t.after(() => ledger.kill());
  const edge = await world.startEdge();
  t.after(() => edge.kill());
  await createRound(edge, { id: 'crowd', cap: CAP });

  const rush = await world.command([
    'rush',
    ...['--url', edge.publicUrl, '--rate', `${RATE_PER_S}`, '--attempts', `${ATTEMPTS}`],
    ...['--investors', `${INVESTORS}`, '--duplicates', '5', '--poor', '5', '--seed', `${SEED}`, '--json'],
  ]);
  assert.equal(rush.code, 0, `${rush.stdout}\n${rush.stderr}`);
  const report = JSON.parse(rush.stdout) as RushReport;
  assert.equal(report.attempts, ATTEMPTS);
  assert.deepEqual(
    report.checks.map(({ name, ok }) => [name, ok]),
    ['I1', 'I2', 'I3', 'I4', 'I11', 'I12'].map((name) => [name, true]),
  );

  await until(
    'every outcome',
    async () => (await metricOrNull(edge, 'openbell_outbox_investments')) === 0,
    120_000,
  );
  await allReplicated(edge);
  const audit = await world.command(['audit']);
  assert.equal(audit.code, 0, `${audit.stdout}\n${audit.stderr}`);
  assert.match(audit.stdout, / 0 waiting for the ledger/);

  const census = journalCensus(world.dataDir);
  assert.deepEqual(outcomeProblems(census), []);
  const accepted = [...census.verdicts.values()].filter(({ verdict }) => verdict === 'accepted').length;
  const told = Object.values(report.verdicts).reduce((sum, count) => sum + count, 0) - report.replayed;
  assert.equal(census.verdicts.size, told, 'a verdict for each answer that was no repetition');
  assert.equal(census.outcomes.size, accepted);
  assert.ok(accepted > INVESTORS / 3, `${accepted} accepted`);
  const rows = await rowsCensus(testOptions(shared.contactPoint, keyspace), census);
  assert.deepEqual(rows.problems, []);
  assert.deepEqual([rows.verdictRows, rows.outcomeRows], [census.verdicts.size, accepted]);

  assert.deepEqual(await edge.stop(), { code: 0, signal: null });
  assert.deepEqual(await ledger.stop(), { code: 0, signal: null });
  t.diagnostic(
    `${census.verdicts.size} verdicts, ${accepted} accepted, in ${report.durationS} s; ${rows.verdictRows} + ${rows.outcomeRows} rows; p99 ${report.latencyMs.p99} ms`,
  );
  t.diagnostic(JSON.stringify(report.verdicts));
});
