// Ledgers of one cluster on a real etcd: one owns the books, locks each investor while it moves their money, and stops when
// another has taken the books over.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { invest, nodeOf, openRound } from '../harness/cluster-bench.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { type Etcd, startEtcd } from '../harness/etcd.js';
import { clientOf, storedValue, until } from '../harness/etcd-bench.js';
import {
  adminCall,
  importInvestors,
  type LedgerProcess,
  startLedgerProcess,
  temporaryDataDir,
  waitReady,
} from '../harness/node-process.js';
import { pauseProcess } from '../harness/pause-process.js';

const skip = skipWithoutEngine('etcd');
let etcd: Etcd;
let clusters = 0;

before(async () => {
  if (skip === false) etcd = await startEtcd();
});
after(() => etcd?.remove());

const freshCluster = (): string => `ledger-${++clusters}`;

interface Options {
  readonly dataDir: string;
  readonly ttlS?: number;
  readonly waitReady?: boolean;
}

async function ledgerOf(
  t: TestContext,
  cluster: string,
  name: string,
  options: Options,
): Promise<LedgerProcess> {
  const ledger = await startLedgerProcess({
    dataDir: options.dataDir,
    env: {
      OPENBELL_ETCD: etcd.clientAddress,
      OPENBELL_CLUSTER: cluster,
      OPENBELL_NODE: name,
      OPENBELL_LEASE_TTL: String(options.ttlS ?? 3),
    },
    ...(options.waitReady === undefined ? {} : { waitReady: options.waitReady }),
  });
  t.after(async () => {
    ledger.signal('SIGCONT');
    if (!ledger.hasExited()) await ledger.kill();
  });
  return ledger;
}

async function dataDirOf(t: TestContext): Promise<string> {
  const { dataDir, remove } = await temporaryDataDir();
  t.after(remove);
  return dataDir;
}

async function untilStandby({ ledgerUrl }: LedgerProcess, owner: string): Promise<void> {
  await until(async () => {
    const answer = await fetch(`${ledgerUrl}/readyz`).catch(() => null);
    return (await answer?.text())?.includes(`standby: node ${owner} owns the books`) ?? false;
  });
}

interface Summary {
  readonly rounds: readonly { readonly settledCount: number; readonly escrow: number }[];
  readonly entriesSum: number;
}

const summaryOf = async ({ ledgerUrl }: LedgerProcess): Promise<Summary> =>
  (await adminCall(`${ledgerUrl}/admin/v1/summary?verify=true`, 'GET')) as Summary;

const investors = Array.from({ length: 40 }, (_, i) => `investor-${i}`);
const lines = investors.map((investor) => ({ investor, balance: 9_000 }));

describe('the ledger of a cluster', { skip }, () => {
  test('settles under its locks, which are gone afterwards, also across a kill of etcd and of itself', async (t) => {
    const cluster = freshCluster();
    const dataDir = await dataDirOf(t);
    const ledger = await ledgerOf(t, cluster, 'one', { dataDir, ttlS: 60 });
    const { edge } = await nodeOf(t, cluster, 'one', { etcd: etcd.clientAddress, dataDir, ttlS: 60 });
    await importInvestors({ ledger, edge }, lines);
    await openRound(edge);
    const client = clientOf(t, etcd.clientAddress);
    const settled = (count: number, by: LedgerProcess): Promise<void> =>
      until(async () => (await summaryOf(by)).rounds[0]?.settledCount === count, 30_000);

    for (const investor of investors.slice(0, 20)) assert.equal((await invest(edge, investor)).status, 201);
    await settled(20, ledger);
    assert.equal(await storedValue(client, `${cluster}/ledger/investors/investor-3`), undefined);

    // What is admitted meanwhile waits, and nothing is lost.
    await etcd.kill();
    for (const investor of investors.slice(20, 30)) assert.equal((await invest(edge, investor)).status, 201);
    await etcd.restart();
    await settled(30, ledger);

    await ledger.kill();
    for (const investor of investors.slice(30)) assert.equal((await invest(edge, investor)).status, 201);
    const again = await ledgerOf(t, cluster, 'one', { dataDir, ttlS: 60 });
    await settled(40, again);
    const { rounds, entriesSum } = await summaryOf(again);
    assert.deepEqual([rounds[0]?.escrow, entriesSum], [40 * 5_000, 0]);
    assert.equal(await storedValue(client, `${cluster}/ledger/epoch`), '2');
  });

  test('a second one waits, takes over when the first is paused past its lease, and fences it', async (t) => {
    const cluster = freshCluster();
    const first = await ledgerOf(t, cluster, 'one', { dataDir: await dataDirOf(t) });
    const second = await ledgerOf(t, cluster, 'two', { dataDir: await dataDirOf(t), waitReady: false });
    await untilStandby(second, 'one');
    const healthy = await fetch(`${second.ledgerUrl}/healthz`);
    assert.equal(healthy.status, 200);
    await pauseProcess(first);
    await waitReady(second, second.ledgerUrl);
    first.signal('SIGCONT');
    assert.equal((await first.exited).code, 75, first.stderr());
    assert.match(first.stderr(), /fenced/);
    assert.deepEqual(await second.stop(), { code: 0, signal: null });
  });

  test('a second one that is told to stop while it waits ends with 0; the first in order gives way at once', async (t) => {
    const cluster = freshCluster();
    const first = await ledgerOf(t, cluster, 'one', { dataDir: await dataDirOf(t), ttlS: 300 });
    const impatient = await ledgerOf(t, cluster, 'two', { dataDir: await dataDirOf(t), waitReady: false });
    await untilStandby(impatient, 'one');
    assert.deepEqual(await impatient.stop(), { code: 0, signal: null });
    const patient = await ledgerOf(t, cluster, 'two', { dataDir: await dataDirOf(t), waitReady: false });
    await untilStandby(patient, 'one');
    assert.deepEqual(await first.stop(), { code: 0, signal: null });
    await waitReady(patient, patient.ledgerUrl);
  });
});
