// The whole data directory is deleted after a rush, the watermark with it but for its copy in etcd: at `replicated` the
// rebuild has every verdict that was told and the same totals; at `journal` the start refuses and says what is missing.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { nodeOf, openRound } from '../harness/cluster-bench.js';
import { metricOrNull } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { runCommand } from '../harness/node-process.js';
import { allReplicated, assertRemembered, crowd, roundTotals, type Told } from './edge-rows.js';
import { TakeoverBench } from './takeover-bench.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra') || skipWithoutEngine('etcd');
const AMOUNT = 50_000;

describe('the data directory is deleted after a rush', { skip }, () => {
  let bench: TakeoverBench;
  before(async () => {
    bench = await TakeoverBench.start();
  });
  after(() => bench?.remove());

  function emptied(dataDir: string): string {
    rmSync(dataDir, { recursive: true, force: true });
    mkdirSync(dataDir, { mode: 0o700 });
    return dataDir;
  }

  test('at replicated: the rebuild has every verdict that was told, and the same totals', async (t) => {
    const [cluster, env] = [bench.freshCluster(), bench.env('replicated')];
    const etcd = bench.etcd.clientAddress;
    const owner = await nodeOf(t, cluster, 'one', { etcd, env });
    await openRound(owner.edge);
    const told: Told[] = [];
    for (let wave = 0; wave < 6; wave++) told.push(...(await crowd(owner.edge, `wave-${wave}`, 400)));
    for (const { status } of told) assert.equal(status, 201);
    const totals = await roundTotals(owner.edge);
    assert.deepEqual([totals['investors'], totals['admitted']], [2_400, 2_400 * AMOUNT]);
    await owner.edge.kill();

    const dataDir = emptied(owner.dataDir);
    const rebuilt = await nodeOf(t, cluster, 'one', { etcd, env, dataDir, args: ['--rebuild'] });
    assert.deepEqual(await roundTotals(rebuilt.edge), totals);
    await assertRemembered(rebuilt.edge, told);
    assert.deepEqual(await rebuilt.edge.stop(), { code: 0, signal: null });
    const verify = await runCommand(['journal', 'verify'], { dataDir });
    assert.equal(verify.code, 0, verify.stdout);
  });

  test('at journal: the start refuses and names what is missing, until the operator gives exactly that up', async (t) => {
    const [cluster, env] = [bench.freshCluster(), bench.env('journal')];
    const etcd = bench.etcd.clientAddress;
    const owner = await nodeOf(t, cluster, 'one', { etcd, env });
    await openRound(owner.edge);
    const saved = await crowd(owner.edge, 'saved', 100);
    await allReplicated(owner.edge);
    const sequence = (await metricOrNull(owner.edge, 'openbell_journal_sequence')) ?? 0;
    await bench.cassandra.kill();
    for (const { status } of await crowd(owner.edge, 'unsaved', 300)) assert.equal(status, 201);
    await until(
      'the watermark',
      async () => ((await metricOrNull(owner.edge, 'openbell_watermark_sequence')) ?? 0) >= sequence + 300,
    );
    await owner.edge.kill();
    await bench.cassandra.restart();

    const dataDir = emptied(owner.dataDir);
    const [from, to] = [sequence + 1, sequence + 300];
    const missing = new RegExp(`sequences ${from} to ${to} are missing: the watermark says`);
    const sums = `round crowd: the watermark has ${400 * AMOUNT} admitted in 400 investments, the rows ${100 * AMOUNT} in 100`;
    for (const args of [[], ['--rebuild'], ['--rebuild', '--accept-loss-from', `${from + 1}`]]) {
      const refused = await nodeOf(t, cluster, 'one', { etcd, env, dataDir, args, waitReady: false });
      assert.equal((await refused.edge.exited).code, 1, refused.edge.stderr());
      assert.match(refused.edge.stderr(), missing);
      assert.match(refused.edge.stderr(), new RegExp(sums));
    }
    const args = ['--rebuild', '--accept-loss-from', `${from}`];
    const opened = await nodeOf(t, cluster, 'one', { etcd, env, dataDir, args });
    await assertRemembered(opened.edge, saved);
    assert.equal((await roundTotals(opened.edge))['investors'], 100);
    assert.deepEqual(await opened.edge.stop(), { code: 0, signal: null });
    const dump = await runCommand(['journal', 'dump', '--from', `${from}`, '--limit', '1'], { dataDir });
    assert.match(dump.stdout, new RegExp(`rebuilt.*lost=${from}\\.\\.${to}`));
  });
});
