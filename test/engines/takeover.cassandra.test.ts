// Two nodes, each with a disk of its own, one cluster: the rows in Cassandra are how the second one gets the journal of
// the first. A real etcd, a real Cassandra, and owners that are killed; for one that is paused see takeover-paused.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nodeOf, untilStandby } from '../harness/cluster-bench.js';
import { metricOrNull } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { runCommand, waitReady } from '../harness/node-process.js';
import { allReplicated, assertRemembered, crowd, roundTotals } from './edge-rows.js';
import { TakeoverBench } from './takeover-bench.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra') || skipWithoutEngine('etcd');

describe('a takeover by the rows', { skip }, () => {
  let bench: TakeoverBench;
  before(async () => {
    bench = await TakeoverBench.start();
  });
  after(() => bench?.remove());

  test('the owner is killed at replicated: every yes is on the standby, under its id', async (t) => {
    const { cluster, env, owner, standby } = await bench.pair(t, 'replicated');
    const told = await crowd(owner.edge, 'before', 200);
    for (const { status } of told) assert.equal(status, 201);
    // Some of these may be cut off by the kill: whoever heard yes is asked about again.
    const cut = Promise.allSettled(Array.from({ length: 20 }, (_, i) => crowd(owner.edge, `cut-${i}`, 10)));
    await until(
      'some of the last ones',
      async () => ((await metricOrNull(owner.edge, 'openbell_journal_sequence')) ?? 0) > 210,
    );
    await owner.edge.kill();
    const heard = (await cut)
      .flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
      .filter(({ status }) => status === 201);
    await waitReady(standby.edge, standby.edge.adminUrl, 60_000);
    await assertRemembered(standby.edge, [...told, ...heard]);
    const more = await crowd(standby.edge, 'after', 50);
    const ids = [...told, ...heard, ...more].map(({ body }) => body['id']);
    assert.equal(new Set(ids).size, ids.length, 'no id twice');

    // The first node comes back with its disk: a standby first, and then, again, the owner by the rows.
    const back = await nodeOf(t, cluster, 'one', {
      etcd: bench.etcd.clientAddress,
      env,
      dataDir: owner.dataDir,
      waitReady: false,
    });
    await untilStandby(back.edge, 'two');
    const totals = await roundTotals(standby.edge);
    await standby.edge.kill();
    await waitReady(back.edge, back.edge.adminUrl, 60_000);
    assert.deepEqual(await roundTotals(back.edge), totals);
    await assertRemembered(back.edge, [...told, ...heard, ...more]);
    assert.deepEqual(await back.edge.stop(), { code: 0, signal: null });
    const verify = await runCommand(['journal', 'verify'], { dataDir: owner.dataDir });
    assert.equal(verify.code, 0, verify.stdout);
  });

  test('at journal with a lag the standby does not open, and names what is missing', async (t) => {
    const { cluster, env, owner, standby } = await bench.pair(t, 'journal');
    await crowd(owner.edge, 'saved', 50);
    await allReplicated(owner.edge);
    const saved = (await metricOrNull(owner.edge, 'openbell_journal_sequence')) ?? 0;
    await bench.cassandra.kill();
    const unsaved = await crowd(owner.edge, 'unsaved', 50);
    for (const { status } of unsaved) assert.equal(status, 201, 'at journal nobody waits for Cassandra');
    await until(
      'the watermark',
      async () => ((await metricOrNull(owner.edge, 'openbell_watermark_sequence')) ?? 0) >= saved + 50,
    );
    await owner.edge.kill();
    const blind = await standby.edge.exited;
    assert.equal(blind.code, 69, standby.edge.stderr());
    assert.match(standby.edge.stderr(), /the rounds cannot be taken over: no host answers/);

    await bench.cassandra.restart();
    const seeing = await nodeOf(t, cluster, 'two', {
      etcd: bench.etcd.clientAddress,
      env,
      dataDir: standby.dataDir,
      waitReady: false,
    });
    const { code } = await seeing.edge.exited;
    assert.equal(code, 1, seeing.edge.stderr());
    const missing = `sequences ${saved + 1} to ${saved + 50} are missing: the watermark says`;
    assert.match(seeing.edge.stderr(), new RegExp(`the rounds cannot be taken over: ${missing}`));

    // Whoever has the disk may have the rounds, with everything.
    const back = await nodeOf(t, cluster, 'one', {
      etcd: bench.etcd.clientAddress,
      env,
      dataDir: owner.dataDir,
    });
    await assertRemembered(back.edge, unsaved);
  });
});
