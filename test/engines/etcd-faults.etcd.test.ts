// An owner of rounds and what may happen to its etcd: killed, standing still, forgetting, or giving the rounds to another.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  copyEdge,
  invest,
  type NodeOptions,
  nodeOf,
  openRound,
  readyz,
  untilStandby,
} from '../harness/cluster-bench.js';
import { metric } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { type Etcd, startEtcd } from '../harness/etcd.js';
import { change, clientOf, storedValue, until } from '../harness/etcd-bench.js';
import { adminCall, type EdgeProcess, waitReady } from '../harness/node-process.js';

const skip = skipWithoutEngine('etcd');
let etcd: Etcd;
let clusters = 0;

before(async () => {
  if (skip === false) etcd = await startEtcd();
});
after(() => etcd?.remove());

const freshCluster = (): string => `faults-${++clusters}`;
const here = (options: Omit<NodeOptions, 'etcd'> = {}): NodeOptions => ({
  etcd: etcd.clientAddress,
  ...options,
});

/** An investment after the other until told to stop; every answer that is not 201. */
function keepInvesting(edge: EdgeProcess): { stop(): Promise<{ accepted: number; others: string[] }> } {
  let going = true;
  const run = (async () => {
    let accepted = 0;
    const others: string[] = [];
    for (let i = 0; going; i++) {
      const answer = await invest(edge, `investor-${i}`).catch((error: Error) => ({
        status: 0,
        body: { code: error.message },
      }));
      if (answer.status === 201) accepted++;
      else others.push(`${answer.status} ${String(answer.body.code)}`);
    }
    return { accepted, others };
  })();
  return {
    stop: () => {
      going = false;
      return run;
    },
  };
}

async function failures(edge: EdgeProcess): Promise<number> {
  const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  return Number.parseInt(
    /^openbell_lease_keepalives_total\{result="failed"\} (\d+)$/m.exec(text)?.[1] ?? '',
    10,
  );
}

async function markOf(t: TestContext, cluster: string): Promise<{ epoch: number; sequence: number }> {
  const text = await storedValue(clientOf(t, etcd.clientAddress), `${cluster}/edge/watermark`);
  return JSON.parse(text ?? '{}') as { epoch: number; sequence: number };
}

describe('an owner while its etcd fails', { skip }, () => {
  test('killed and started again within the lease: not one refusal, and the watermark catches up', async (t) => {
    const cluster = freshCluster();
    const { edge } = await nodeOf(t, cluster, 'one', here({ ttlS: 20 }));
    await openRound(edge);
    const going = keepInvesting(edge);
    for (let kills = 1; kills <= 3; kills++) {
      const before = await failures(edge);
      await etcd.kill();
      await until(async () => (await failures(edge)) > before, 30_000);
      await etcd.restart();
      const sequence = await metric(edge, 'openbell_watermark_sequence');
      await until(async () => (await metric(edge, 'openbell_watermark_sequence')) > sequence, 15_000);
    }
    const { accepted, others } = await going.stop();
    assert.ok(accepted > 20, `${accepted} accepted`);
    assert.deepEqual(others, []);
    const sequence = await metric(edge, 'openbell_journal_sequence');
    await until(async () => (await markOf(t, cluster)).sequence === sequence);
    assert.deepEqual(await edge.stop(), { code: 0, signal: null });
  });

  test('standing still for a while: it goes on, and the rounds stay its own', async (t) => {
    const cluster = freshCluster();
    const { edge } = await nodeOf(t, cluster, 'one', here({ ttlS: 20 }));
    await openRound(edge);
    const going = keepInvesting(edge);
    await etcd.pause();
    await until(async () => (await failures(edge)) >= 1, 30_000);
    await until(async () => (await metric(edge, 'openbell_watermark_failures_total')) >= 1, 30_000);
    etcd.resume();
    const epoch = await metric(edge, 'openbell_epoch');
    await until(async () => (await metric(edge, 'openbell_watermark_age_seconds')) < 2, 20_000);
    const { others } = await going.stop();
    assert.deepEqual(others, []);
    assert.equal(await metric(edge, 'openbell_epoch'), epoch);
    assert.equal((await readyz(edge))?.status, 200);
  });

  test('standing still for longer than the lease bears: it fences itself, ends with 75, and comes back', async (t) => {
    const cluster = freshCluster();
    const node = await nodeOf(t, cluster, 'one', here({ ttlS: 3 }));
    await openRound(node.edge);
    assert.equal((await invest(node.edge, 'alice')).status, 201);
    await etcd.pause();
    await until(async () => (await readyz(node.edge))?.status === 503);
    const refused = await invest(node.edge, 'bob');
    assert.equal(refused.status, 503);
    assert.equal(refused.body['code'], 'fenced');
    assert.equal((await node.edge.exited).code, 75);
    assert.match(node.edge.stderr(), /fenced: no keepalive was confirmed within 2000 ms/);
    etcd.resume();
    await etcd.waitReady();
    const again = await nodeOf(t, cluster, 'one', here({ dataDir: node.dataDir }));
    assert.equal((await invest(again.edge, 'alice')).status, 201);
    assert.equal((await invest(again.edge, 'bob')).status, 201);
  });
});

describe('an owner and its place in etcd', { skip }, () => {
  test('killed, it has its rounds back at once: its own lease need not run out', async (t) => {
    const cluster = freshCluster();
    const node = await nodeOf(t, cluster, 'one', here({ ttlS: 300 }));
    await openRound(node.edge);
    assert.equal((await invest(node.edge, 'alice')).status, 201);
    await node.edge.kill();
    const again = await nodeOf(t, cluster, 'one', here({ dataDir: node.dataDir, ttlS: 300 }));
    assert.equal(await metric(again.edge, 'openbell_epoch'), 2);
    assert.equal((await invest(again.edge, 'alice')).status, 201);
  });

  test('an epoch that another has taken fences it by its watermark, before its lease would', async (t) => {
    const cluster = freshCluster();
    const { edge } = await nodeOf(t, cluster, 'one', here({ ttlS: 300 }));
    const client = clientOf(t, etcd.clientAddress);
    await change(client, [{ put: `${cluster}/edge/epoch`, value: '9' }]);
    await until(() => edge.stderr().includes('fenced'));
    assert.equal((await edge.exited).code, 75);
    assert.match(edge.stderr(), /the epoch in etcd is 9, and this process runs under 1/);
  });

  test('an etcd that has lost everything does not let it begin below its own epoch', async (t) => {
    const cluster = freshCluster();
    const first = await nodeOf(t, cluster, 'one', here());
    await openRound(first.edge);
    await first.edge.stop();
    const second = await nodeOf(t, cluster, 'one', here({ dataDir: first.dataDir }));
    assert.equal(await metric(second.edge, 'openbell_epoch'), 2);
    await second.edge.stop();
    const client = clientOf(t, etcd.clientAddress);
    const read = await client.read([{ list: `${cluster}/` }]);
    assert.ok(read.ok);
    await change(
      client,
      read.value[0]!.map(({ key }) => ({ remove: key })),
    );
    const third = await nodeOf(t, cluster, 'one', here({ dataDir: first.dataDir }));
    assert.equal(await metric(third.edge, 'openbell_epoch'), 3);
  });

  test('a takeover begins with the rounds as the last owner left them', async (t) => {
    const cluster = freshCluster();
    const owner = await nodeOf(t, cluster, 'one', here({ ttlS: 60 }));
    const standby = await nodeOf(t, cluster, 'two', here({ waitReady: false }));
    await untilStandby(standby.edge, 'one');
    await openRound(owner.edge);
    assert.equal((await invest(owner.edge, 'alice')).status, 201);
    await copyEdge(owner, standby);
    // What the standby's journal lacks: a pause, a raised cap, and a whole round.
    const rounds = `${owner.edge.adminUrl}/admin/v1/rounds`;
    await adminCall(`${rounds}/crowd/pause`, 'POST');
    const json = (value: object) => ({ type: 'application/json', text: JSON.stringify(value) });
    await adminCall(`${rounds}/crowd`, 'PATCH', json({ cap: 2_000_000_000_000 }));
    const second = { id: 'second', name: 'Second', currency: 'GBP', cap: 500, minimum: 1, maximum: 9 };
    const byHand = { opensAt: null, closesAt: null, unknownBalance: 'allow' };
    await adminCall(rounds, 'POST', json({ ...second, ...byHand }));
    await owner.edge.stop();
    // The loss of those rows is accepted, by whoever removes the watermark that knows of them.
    const client = clientOf(t, etcd.clientAddress);
    await until(() => standby.edge.hasExited(), 20_000);
    assert.match(
      standby.edge.stderr(),
      /expected sequence 4: no frame, and sequence 6 is known to have been durable/,
    );
    await change(client, [{ remove: `${cluster}/edge/watermark` }]);
    const next = await nodeOf(t, cluster, 'two', here({ dataDir: standby.dataDir }));
    const known = (await (await fetch(`${next.edge.publicUrl}/v1/rounds`)).json()) as {
      rounds: { id: string; state: string; cap: number; admitted: number }[];
    };
    assert.deepEqual(
      known.rounds.map(({ id, state, cap, admitted }) => [id, state, cap, admitted]),
      [
        ['crowd', 'paused', 2_000_000_000_000, 5_000],
        ['second', 'scheduled', 500, 0],
      ],
    );
    assert.equal((await invest(next.edge, 'bob')).body['code'], 'round-paused');
    await adminCall(`${next.edge.adminUrl}/admin/v1/rounds/crowd/resume`, 'POST');
    assert.equal((await invest(next.edge, 'bob')).status, 201);
    await waitReady(next.edge, next.edge.adminUrl);
  });
});
