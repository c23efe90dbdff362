// A node that was paused while another took its rounds over (I9, I10): when it goes on it admits nothing, writes no
// watermark and says `fenced`. Two real edge processes, a real etcd, and whatever was in the socket when it woke up.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  copyEdge,
  invest,
  investRequest,
  type NodeOptions,
  nodeOf,
  openRound,
  readyz,
  untilStandby,
} from '../harness/cluster-bench.js';
import { metric } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { type Etcd, startEtcd } from '../harness/etcd.js';
import { clientOf, storedValue, until } from '../harness/etcd-bench.js';
import {
  adminCall,
  type EdgeProcess,
  type NodeProcess,
  runCommand,
  waitReady,
} from '../harness/node-process.js';
import { pauseProcess } from '../harness/pause-process.js';
import { type WarmConnection, warmConnection } from '../harness/warm-connection.js';

const skip = skipWithoutEngine('etcd');
let etcd: Etcd;
let clusters = 0;

before(async () => {
  if (skip === false) etcd = await startEtcd();
});
after(() => etcd?.remove());

const freshCluster = (): string => `fenced-${++clusters}`;
const here = (options: Omit<NodeOptions, 'etcd'> = {}): NodeOptions => ({
  etcd: etcd.clientAddress,
  ...options,
});

async function warmConnections(t: TestContext, edge: EdgeProcess, count = 20): Promise<WarmConnection[]> {
  const connections = await Promise.all(
    Array.from({ length: count }, () => warmConnection(edge.publicPort, '/v1/rounds/crowd')),
  );
  t.after(() => {
    for (const connection of connections) connection.close();
  });
  return connections;
}

interface Row {
  readonly kind: string;
  readonly investor?: string;
}

async function journalOf(dataDir: string): Promise<Row[]> {
  const { code, stdout, stderr } = await runCommand(['journal', 'dump', '--json'], { dataDir });
  assert.equal(code, 0, stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

const hasSaid = (node: NodeProcess, word: string): boolean => node.stderr().includes(word);

describe('a standby', { skip }, () => {
  test('is alive, not ready, and says whom it waits for; told to stop it ends with 0', async (t) => {
    const cluster = freshCluster();
    const owner = await nodeOf(t, cluster, 'one', here());
    const standby = await nodeOf(t, cluster, 'two', here({ waitReady: false }));
    await untilStandby(standby.edge, 'one');
    const healthy = await fetch(`${standby.edge.adminUrl}/healthz`);
    assert.equal(healthy.status, 200);
    assert.equal((await readyz(standby.edge))?.status, 503);
    assert.equal(await metric(standby.edge, 'openbell_standby'), 1);
    await assert.rejects(fetch(standby.edge.publicUrl), 'it listens for nobody');
    assert.deepEqual(await standby.edge.stop(), { code: 0, signal: null });
    assert.equal((await readyz(owner.edge))?.status, 200);
    assert.deepEqual(await owner.edge.stop(), { code: 0, signal: null });
  });

  test('takes over at once when the owner stops in order', async (t) => {
    const cluster = freshCluster();
    const owner = await nodeOf(t, cluster, 'one', here({ ttlS: 60 }));
    const standby = await nodeOf(t, cluster, 'two', here({ waitReady: false }));
    await untilStandby(standby.edge, 'one');
    const epoch = await metric(owner.edge, 'openbell_epoch');
    await openRound(owner.edge);
    assert.equal((await invest(owner.edge, 'alice')).status, 201);
    // Its disk is copied while it is quiet; what it writes while it stops is not, and need not be.
    await copyEdge(owner, standby);
    await owner.edge.stop();
    await waitReady(standby.edge, standby.edge.adminUrl);
    assert.equal(await metric(standby.edge, 'openbell_epoch'), epoch + 1);
    const again = await invest(standby.edge, 'alice');
    assert.equal(again.status, 201, 'the same key, the same verdict, on another node');
    assert.equal((await invest(standby.edge, 'bob')).status, 201);
  });

  test('without the journal of the last owner it does not open, and says what is missing', async (t) => {
    const cluster = freshCluster();
    const owner = await nodeOf(t, cluster, 'one', here({ ttlS: 60 }));
    const standby = await nodeOf(t, cluster, 'two', here({ waitReady: false }));
    await untilStandby(standby.edge, 'one');
    await openRound(owner.edge);
    assert.equal((await invest(owner.edge, 'alice')).status, 201);
    await owner.edge.stop();
    const { code } = await standby.edge.exited;
    assert.equal(code, 70, standby.edge.stderr());
    assert.match(standby.edge.stderr(), /there is no journal, and it is known to have reached 3/);
    // It has let go of the rounds: whoever has the journal may have them at once.
    const again = await nodeOf(t, cluster, 'one', here({ dataDir: owner.dataDir }));
    assert.equal((await invest(again.edge, 'alice')).status, 201);
  });
});

describe('an owner that was paused past its lease', { skip }, () => {
  test('while another took over: it admits nothing, writes no watermark, and ends as fenced', async (t) => {
    const cluster = freshCluster();
    const paused = await nodeOf(t, cluster, 'one', here());
    const next = await nodeOf(t, cluster, 'two', here({ waitReady: false }));
    await untilStandby(next.edge, 'one');
    const epoch = await metric(paused.edge, 'openbell_epoch');
    await openRound(paused.edge);
    for (const investor of ['alice', 'bob']) assert.equal((await invest(paused.edge, investor)).status, 201);
    const client = clientOf(t, etcd.clientAddress);
    const mark = `${cluster}/edge/watermark`;
    const sequence = await metric(paused.edge, 'openbell_journal_sequence');
    await until(async () => {
      const stored = JSON.parse((await storedValue(client, mark)) ?? '{}') as { sequence?: number };
      return stored.sequence === sequence;
    });

    const connections = await warmConnections(t, paused.edge);
    await pauseProcess(paused.edge);
    await copyEdge(paused, next);
    // What it finds in its sockets when it wakes up, long after its time.
    const late = connections.map((connection, i) => connection.ask(investRequest(`late-${i}`)));
    await waitReady(next.edge, next.edge.adminUrl);
    assert.equal(await metric(next.edge, 'openbell_epoch'), epoch + 1);
    assert.equal((await invest(next.edge, 'alice')).status, 201, 'the verdict of before');
    assert.equal((await invest(next.edge, 'carol')).status, 201);
    const ownMark = async (): Promise<{ epoch: number; sequence: number }> =>
      JSON.parse((await storedValue(client, mark)) ?? '') as { epoch: number; sequence: number };
    await until(async () => (await ownMark()).sequence > sequence);
    const before = await ownMark();
    assert.equal(before.epoch, epoch + 1);

    paused.edge.signal('SIGCONT');
    for (const each of await Promise.all(late)) {
      assert.match(each?.body ?? assert.fail('no answer'), /"code":"fenced"/);
      assert.equal(each?.status, 503);
    }
    await until(() => hasSaid(paused.edge, 'fenced'));
    const answer = await invest(paused.edge, 'dave').catch(() => null);
    if (answer !== null) assert.equal(answer.body['code'], 'fenced', JSON.stringify(answer));
    const probe = await readyz(paused.edge);
    if (probe !== null) {
      assert.equal(probe.status, 503);
      assert.match(probe.text, /"name":"lease","ready":false,"detail":"fenced: /);
    }
    assert.equal((await paused.edge.exited).code, 75, paused.edge.stderr());
    assert.match(paused.edge.stderr(), /fenced: /);

    const rows = await journalOf(paused.dataDir);
    const investors = rows.flatMap(({ investor }) => (investor === undefined ? [] : [investor]));
    assert.deepEqual(investors.toSorted(), ['alice', 'bob'], 'not a row after its time');
    const afterwards = await ownMark();
    assert.equal(afterwards.epoch, epoch + 1);
    assert.ok(afterwards.sequence >= before.sequence);
    assert.equal((await readyz(next.edge))?.status, 200);
    // Started again by its supervisor, it is a standby of the node that has taken over.
    const again = await nodeOf(t, cluster, 'one', here({ dataDir: paused.dataDir, waitReady: false }));
    await untilStandby(again.edge, 'two');
    assert.deepEqual(await again.edge.stop(), { code: 0, signal: null });
  });

  test('and nobody took over: it has stopped all the same, and comes back under a new epoch', async (t) => {
    const cluster = freshCluster();
    const node = await nodeOf(t, cluster, 'one', here());
    await openRound(node.edge);
    assert.equal((await invest(node.edge, 'alice')).status, 201);
    const epoch = await metric(node.edge, 'openbell_epoch');
    const [connection] = await warmConnections(t, node.edge, 1);
    await pauseProcess(node.edge);
    const client = clientOf(t, etcd.clientAddress);
    await until(async () => (await storedValue(client, `${cluster}/edge/owner`)) === undefined, 20_000);
    const late = connection!.ask(investRequest('late'));
    node.edge.signal('SIGCONT');
    assert.equal((await late)?.status, 503);
    assert.equal((await node.edge.exited).code, 75, node.edge.stderr());
    const again = await nodeOf(t, cluster, 'one', here({ dataDir: node.dataDir }));
    assert.equal(await metric(again.edge, 'openbell_epoch'), epoch + 1);
    assert.equal((await invest(again.edge, 'alice')).status, 201);
    assert.equal((await invest(again.edge, 'late')).status, 201);
  });

  test('paused for less than that it goes on as if nothing had been', async (t) => {
    const cluster = freshCluster();
    const node = await nodeOf(t, cluster, 'one', here({ ttlS: 60 }));
    await openRound(node.edge);
    await pauseProcess(node.edge);
    const late = invest(node.edge, 'alice');
    node.edge.signal('SIGCONT');
    assert.equal((await late).status, 201);
    await adminCall(`${node.edge.adminUrl}/admin/v1/rounds/crowd/pause`, 'POST');
    assert.equal((await readyz(node.edge))?.status, 200);
  });
});
