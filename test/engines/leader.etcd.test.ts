// Three members of a real etcd, and the leader is killed in a rush: the edge keeps its rounds, nobody is refused, and the
// watermark goes on. With most of the members gone the edge fences itself in time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtcdClient } from '../../src/engines/etcd/etcd-client.js';
import { invest } from '../contract/contract-client.js';
import { metric } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { type Etcd, startEtcdCluster } from '../harness/etcd.js';
import {
  createRound,
  importInvestors,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { freePorts } from '../harness/ports.js';
import { until } from './until.js';

const MEMBERS = 3;
const LEASE_TTL_S = 10;
const ATTEMPTS = 1_500;
const RATE_PER_S = 100;
const FENCED_EXIT = 75;

/** Who leads, as soon as somebody does. */
async function leaderOf(members: readonly Etcd[]): Promise<Etcd> {
  let leader: Etcd | undefined;
  await until('a leader', async () => {
    leader = await seenLeading(members);
    return leader !== undefined;
  });
  return leader as Etcd;
}

async function seenLeading(members: readonly Etcd[]): Promise<Etcd | undefined> {
  for (const member of members.filter((one) => one.isRunning())) {
    const client = new EtcdClient({ endpoints: [member.clientAddress], tls: null, login: null });
    const status = await client.status();
    client.close();
    if (status.ok && status.value.id === status.value.leader) return member;
  }
  return undefined;
}

interface Finding {
  readonly name: string;
  readonly level: string;
  readonly detail: string;
}

test('the leader of etcd is killed in a rush, and the edge keeps its rounds', {
  skip: skipWithoutEngine('etcd'),
}, async (t) => {
  const members = await startEtcdCluster(MEMBERS);
  const { dataDir, remove } = await temporaryDataDir();
  t.after(() => Promise.all([...members.map((member) => member.remove()), remove()]));
  const [ledgerPort] = (await freePorts(1)) as [number];
  // The leader first: it is the one that the edge speaks to.
  const leaderAtStart = await leaderOf(members);
  const order = members.toSorted(
    (one, other) => Number(other === leaderAtStart) - Number(one === leaderAtStart),
  );
  const env = {
    OPENBELL_ETCD: order.map(({ clientAddress }) => clientAddress).join(','),
    OPENBELL_LEASE_TTL: `${LEASE_TTL_S}`,
    OPENBELL_LEDGER_URL: `http://127.0.0.1:${ledgerPort}`,
  };
  const ledger = await startLedgerProcess({ dataDir, env, ports: [ledgerPort] });
  const edge = await startEdgeProcess({ dataDir, env });
  t.after(() => Promise.all([edge.kill(), ledger.kill()]));
  await createRound(edge, { id: 'crowd', cap: 1_000_000_000 });
  await importInvestors({ edge, ledger }, [{ investor: 'somebody', balance: 10_000 }]);
  const doctor = async (name: string): Promise<readonly string[]> => {
    const { stdout } = await runCommand(['doctor', '--json'], { dataDir, env });
    const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] };
    return findings.filter((one) => one.name === name).map(({ level, detail }) => `${level}: ${detail}`);
  };
  assert.deepEqual(await doctor('etcd members'), ['ok: 3 members: member-0, member-1, member-2']);
  const epoch = await metric(edge, 'openbell_epoch');

  const request = { investor: 'somebody', key: 'first', body: { amount: 1_000, currency: 'GBP' } };
  assert.equal((await invest(edge.publicUrl, request)).status, 201);
  const rush = runCommand(
    [
      'rush',
      ...['--url', edge.publicUrl, '--admin-url', edge.adminUrl, '--ledger-url', ledger.ledgerUrl],
      ...['--rate', `${RATE_PER_S}`, '--attempts', `${ATTEMPTS}`, '--investors', `${ATTEMPTS}`, '--json'],
    ],
    { dataDir, env },
  );
  await until('the rush has begun', async () => (await metric(edge, 'openbell_journal_sequence')) > 200);
  const leader = await leaderOf(members);
  await leader.kill();
  const killedAt = await metric(edge, 'openbell_watermark_sequence');
  assert.notEqual(await leaderOf(members), leader);
  await until(
    'the watermark goes on',
    async () => (await metric(edge, 'openbell_watermark_sequence')) > killedAt + 200,
  );
  const { code, stdout, stderr } = await rush;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const metrics = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  assert.doesNotMatch(metrics, /responses_total\{status="5/, 'nobody was turned away');
  await until('every outcome', async () => (await metric(edge, 'openbell_outbox_investments')) === 0);
  const audit = await runCommand(['audit', '--admin-url', edge.adminUrl], { dataDir, env });
  assert.equal(audit.code, 0, `${audit.stdout}\n${audit.stderr}`);
  assert.equal(await metric(edge, 'openbell_epoch'), epoch, 'it never lost them');
  assert.ok((await metric(edge, 'openbell_lease_remaining_seconds')) > 0);
  assert.deepEqual((await doctor('etcd')).map((line) => line.split(':')[0]).toSorted(), ['ok', 'ok', 'warn']);
  assert.match((await doctor('rounds owner')).join(), new RegExp(`^ok: .*, epoch ${epoch}, `));

  // Back, and the next leader goes: the member that came back is needed now.
  await leader.restart();
  const next = await leaderOf(members);
  assert.notEqual(next, leader);
  await next.kill();
  const again = await metric(edge, 'openbell_lease_keepalives_total{result="confirmed"}');
  await until(
    'keepalives go on',
    async () => (await metric(edge, 'openbell_lease_keepalives_total{result="confirmed"}')) > again + 2,
  );
  assert.equal(edge.hasExited(), false);

  // Most of them gone: nobody can say any more who owns the rounds.
  await leader.kill();
  const goneMs = performance.now();
  // The same investor and key: the first answer again, for as long as this edge may answer.
  await until('fenced', async () => {
    const { status } = await invest(edge.publicUrl, request);
    return status === 503;
  });
  const tookS = (performance.now() - goneMs) / 1_000;
  assert.ok(
    tookS < LEASE_TTL_S,
    `fenced after ${tookS} s, before the lease of ${LEASE_TTL_S} s can be another's`,
  );
  assert.equal((await edge.exited).code, FENCED_EXIT);
  assert.match((await doctor('etcd access')).join(), /^fail: /);
  t.diagnostic(`fenced ${tookS.toFixed(1)} s after most of the members were gone`);
});
