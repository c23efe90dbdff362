// `openbell ledger` with its books in Cassandra, beside NSQ and etcd, as production runs it: migrate, edge, ledger, a rush, and
// kill -9 of the ledger in the middle of it. In the end the audit agrees, and so do the books with each answer.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EdgeAuditReport } from '../../src/edge/audit-report.js';
import { metricOrNull } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { startEtcd } from '../harness/etcd.js';
import {
  adminCall,
  createRound,
  type LedgerProcess,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { startNsqd } from '../harness/nsq.js';
import { freePorts } from '../harness/ports.js';
import { sharedCassandra } from '../harness/shared-cassandra.js';
import { until } from './until.js';

const ATTEMPTS = 1_500;
const INVESTORS = 1_000;
const RATE_PER_S = 150;
/** Slow enough that there is always something in its hands. */
const LEDGER_RATE_PER_S = 120;

interface Summary {
  readonly entriesSum: number;
  readonly outcomes: number;
  readonly rounds: readonly { readonly settled: number; readonly escrow: number }[];
}

test('a ledger with its books in Cassandra is killed in a rush: nothing is lost, nothing is settled twice', {
  skip: skipWithoutEngine('cassandra') || skipWithoutEngine('etcd') || skipWithoutEngine('nsqd'),
}, async (t) => {
  const [cassandra, nsqd, etcd, place] = await Promise.all([
    sharedCassandra(),
    startNsqd(),
    startEtcd(),
    temporaryDataDir(),
  ]);
  t.after(() => Promise.all([cassandra.release(), nsqd.remove(), etcd.remove(), place.remove()]));
  const [ledgerPort] = (await freePorts(1)) as [number];
  const { dataDir } = place;
  const env = {
    OPENBELL_NSQD: nsqd.tcpAddress,
    OPENBELL_NSQD_HTTP: nsqd.httpUrl,
    OPENBELL_ETCD: etcd.clientAddress,
    OPENBELL_CASSANDRA: cassandra.contactPoint,
    OPENBELL_CASSANDRA_KEYSPACE: cassandra.keyspaceName(),
    OPENBELL_LEDGER_STORE: 'cassandra',
    OPENBELL_LEDGER_RATE: `${LEDGER_RATE_PER_S}`,
    OPENBELL_LEDGER_URL: `http://127.0.0.1:${ledgerPort}`,
  };
  const migrated = await runCommand(['migrate', '--replication', '1'], { dataDir, env });
  assert.equal(migrated.code, 0, migrated.stderr);
  const startLedger = (): Promise<LedgerProcess> => startLedgerProcess({ dataDir, env, ports: [ledgerPort] });
  let ledger = await startLedger();
  const edge = await startEdgeProcess({ dataDir, env });
  t.after(() => Promise.all([edge.kill(), ledger.kill()]));
  await createRound(edge, { id: 'crowd', cap: 1_000_000_000 });

  const rush = runCommand(
    [
      'rush',
      ...['--url', edge.publicUrl, '--admin-url', edge.adminUrl, '--ledger-url', ledger.ledgerUrl],
      ...['--rate', `${RATE_PER_S}`, '--attempts', `${ATTEMPTS}`, '--investors', `${INVESTORS}`],
      ...['--duplicates', '5', '--poor', '10', '--seed', '11', '--json'],
    ],
    { dataDir, env },
  );
  const summary = async (): Promise<Summary> =>
    (await adminCall(`${ledger.ledgerUrl}/admin/v1/summary`, 'GET')) as Summary;
  await until('a hundred outcomes', async () => (await summary()).outcomes > 100);
  assert.deepEqual(await ledger.kill(), { code: null, signal: 'SIGKILL' });
  // Nothing of the books is here.
  rmSync(join(dataDir, 'ledger'), { recursive: true });
  ledger = await startLedger();
  const { outcomes } = await summary();
  assert.ok(outcomes > 100, `${outcomes} outcomes outlive the kill`);
  const { code, stdout, stderr } = await rush;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  await until('every outcome', async () => (await metricOrNull(edge, 'openbell_outbox_investments')) === 0);
  await until(
    'all rows are replicated',
    async () => (await metricOrNull(edge, 'openbell_rows_lag_rows')) === 0,
  );

  const audit = await runCommand(['audit', '--json', '--admin-url', edge.adminUrl], { dataDir, env });
  assert.equal(audit.code, 0, `${audit.stdout}\n${audit.stderr}`);
  const { totals, checks } = JSON.parse(audit.stdout) as EdgeAuditReport;
  for (const name of ['journal', 'queue', 'nsq', 'rows', 'watermark', 'ledger', 'ledger books'])
    assert.equal(checks.find((check) => check.name === name)?.ok, true, name);
  assert.equal(totals.settled + totals.declined, totals.accepted);
  assert.ok(totals.settled > INVESTORS / 2, `${totals.settled} settled`);
  const books = await summary();
  assert.deepEqual([books.entriesSum, books.outcomes], [0, totals.accepted]);
  assert.equal(books.rounds[0]?.escrow, books.rounds[0]?.settled);

  const doctor = await runCommand(['doctor', '--json'], {
    dataDir,
    env: { ...env, OPENBELL_ADMIN_URL: edge.adminUrl },
  });
  const { findings } = JSON.parse(doctor.stdout) as {
    findings: { name: string; level: string; detail: string }[];
  };
  const failed = findings.filter(({ name, level }) => level === 'fail' && !name.endsWith('port'));
  assert.deepEqual(failed, [], 'doctor finds all three engines well');
  assert.match(
    findings.find(({ name }) => name === 'books owner')?.detail ?? '',
    /, epoch 2, .*lease has \d+ s left$/,
  );
  assert.equal((await edge.stop()).code, 0);
  assert.equal((await ledger.stop()).code, 0);
  t.diagnostic(
    `${totals.accepted} accepted: ${totals.settled} settled, ${totals.declined} declined; ${outcomes} at the kill`,
  );
});
