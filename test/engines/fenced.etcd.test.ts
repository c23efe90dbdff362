// A node that was paused while another took its rounds over (I9, I10): when it goes on it admits nothing, writes no
// watermark and says `fenced`. Two real edge processes, a real etcd, and whatever was in the socket when it woke up.

import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { type Etcd, startEtcd } from '../harness/etcd.js';
import { clientOf, storedValue, until } from '../harness/etcd-bench.js';
import {
  adminCall,
  createRound,
  type EdgeProcess,
  investorToken,
  type NodeProcess,
  runCommand,
  startEdgeProcess,
  temporaryDataDir,
  waitReady,
} from '../harness/node-process.js';
import { pauseProcess } from '../harness/pause-process.js';
import { type WarmConnection, warmConnection } from '../harness/warm-connection.js';

const skip = skipWithoutEngine('etcd');
const TTL_S = 3;
let etcd: Etcd;
let clusters = 0;

before(async () => {
  if (skip === false) etcd = await startEtcd();
});
after(() => etcd?.remove());

interface Node {
  readonly dataDir: string;
  readonly edge: EdgeProcess;
}

async function nodeOf(
  t: TestContext,
  cluster: string,
  name: string,
  options: { readonly waitReady?: boolean; readonly dataDir?: string; readonly ttlS?: number } = {},
): Promise<Node> {
  const place = options.dataDir === undefined ? await temporaryDataDir() : null;
  const dataDir = options.dataDir ?? place!.dataDir;
  const edge = await startEdgeProcess({
    dataDir,
    env: {
      OPENBELL_ETCD: etcd.clientAddress,
      OPENBELL_CLUSTER: cluster,
      OPENBELL_NODE: name,
      OPENBELL_LEASE_TTL: String(options.ttlS ?? TTL_S),
    },
    ...(options.waitReady === undefined ? {} : { waitReady: options.waitReady }),
  });
  t.after(async () => {
    edge.signal('SIGCONT');
    if (!edge.hasExited()) await edge.kill();
    await place?.remove();
  });
  return { dataDir, edge };
}

const freshCluster = (): string => `fenced-${++clusters}`;

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function invest(edge: EdgeProcess, investor: string, key = 'first'): Promise<Answer> {
  const answer = await fetch(`${edge.publicUrl}/v1/rounds/crowd/investments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${investorToken(investor)}`,
      'idempotency-key': key,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ amount: 5_000, currency: 'GBP' }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

function investRequest(investor: string): string {
  const body = JSON.stringify({ amount: 5_000, currency: 'GBP' });
  const head = [
    'POST /v1/rounds/crowd/investments HTTP/1.1',
    'Host: 127.0.0.1',
    `Authorization: Bearer ${investorToken(investor)}`,
    'Idempotency-Key: first',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

async function warmConnections(t: TestContext, edge: EdgeProcess, count = 20): Promise<WarmConnection[]> {
  const connections = await Promise.all(
    Array.from({ length: count }, () => warmConnection(edge.publicPort, '/v1/rounds/crowd')),
  );
  t.after(() => {
    for (const connection of connections) connection.close();
  });
  return connections;
}

async function readyz(edge: EdgeProcess): Promise<{ status: number; text: string } | null> {
  try {
    const answer = await fetch(`${edge.adminUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return null; // not up yet, or gone
  }
}

async function metric(edge: EdgeProcess, name: string): Promise<number> {
  const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `)) ?? assert.fail(name);
  return Number.parseFloat(line.slice(name.length + 1));
}

async function untilStandby(edge: EdgeProcess, owner: string): Promise<void> {
  await until(
    async () => (await readyz(edge))?.text.includes(`standby: node ${owner} owns the rounds`) ?? false,
  );
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

/** As a disk that is shared or copied would be: nothing else makes a second node right for the same journal here. */
async function copyEdge(from: Node, to: Node): Promise<void> {
  await cp(join(from.dataDir, 'edge'), join(to.dataDir, 'edge'), { recursive: true, force: true });
}

async function openRound(edge: EdgeProcess): Promise<void> {
  await createRound(edge, { id: 'crowd', cap: 1_000_000, unknownBalance: 'allow' });
}

const hasSaid = (node: NodeProcess, word: string): boolean => node.stderr().includes(word);

describe('a standby', { skip }, () => {
  test('is alive, not ready, and says whom it waits for; told to stop it ends with 0', async (t) => {
    const cluster = freshCluster();
    const owner = await nodeOf(t, cluster, 'one');
    const standby = await nodeOf(t, cluster, 'two', { waitReady: false });
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
    const owner = await nodeOf(t, cluster, 'one', { ttlS: 60 });
    const standby = await nodeOf(t, cluster, 'two', { waitReady: false });
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
    const owner = await nodeOf(t, cluster, 'one', { ttlS: 60 });
    const standby = await nodeOf(t, cluster, 'two', { waitReady: false });
    await untilStandby(standby.edge, 'one');
    await openRound(owner.edge);
    assert.equal((await invest(owner.edge, 'alice')).status, 201);
    await owner.edge.stop();
    const { code } = await standby.edge.exited;
    assert.equal(code, 70, standby.edge.stderr());
    assert.match(standby.edge.stderr(), /there is no journal, and it is known to have reached 3/);
    // It has let go of the rounds: whoever has the journal may have them at once.
    const again = await nodeOf(t, cluster, 'one', { dataDir: owner.dataDir });
    assert.equal((await invest(again.edge, 'alice')).status, 201);
  });
});

describe('an owner that was paused past its lease', { skip }, () => {
  test('while another took over: it admits nothing, writes no watermark, and ends as fenced', async (t) => {
    const cluster = freshCluster();
    const paused = await nodeOf(t, cluster, 'one');
    const next = await nodeOf(t, cluster, 'two', { waitReady: false });
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
    const again = await nodeOf(t, cluster, 'one', { dataDir: paused.dataDir, waitReady: false });
    await untilStandby(again.edge, 'two');
    assert.deepEqual(await again.edge.stop(), { code: 0, signal: null });
  });

  test('and nobody took over: it has stopped all the same, and comes back under a new epoch', async (t) => {
    const cluster = freshCluster();
    const node = await nodeOf(t, cluster, 'one');
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
    const again = await nodeOf(t, cluster, 'one', { dataDir: node.dataDir });
    assert.equal(await metric(again.edge, 'openbell_epoch'), epoch + 1);
    assert.equal((await invest(again.edge, 'alice')).status, 201);
    assert.equal((await invest(again.edge, 'late')).status, 201);
  });

  test('paused for less than that it goes on as if nothing had been', async (t) => {
    const cluster = freshCluster();
    const node = await nodeOf(t, cluster, 'one', { ttlS: 60 });
    await openRound(node.edge);
    await pauseProcess(node.edge);
    const late = invest(node.edge, 'alice');
    node.edge.signal('SIGCONT');
    assert.equal((await late).status, 201);
    await adminCall(`${node.edge.adminUrl}/admin/v1/rounds/crowd/pause`, 'POST');
    assert.equal((await readyz(node.edge))?.status, 200);
  });
});
