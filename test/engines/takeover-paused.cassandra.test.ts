// An owner that was paused past its lease, with rows in hand and requests in its sockets, while a standby took over by the
// rows in Cassandra (I9, I10): it admits nothing, tells no yes, writes no watermark and no row that counts, and says
// `fenced`. And a standby that died in the middle of its takeover.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { EpochBook } from '../../src/core/epochs.js';
import { CassandraRowStore } from '../../src/engines/cassandra/row-store.js';
import { invest, investRequest, nodeOf } from '../harness/cluster-bench.js';
import { cutProxy } from '../harness/cut-proxy.js';
import { metricOrNull } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { change, clientOf, storedValue } from '../harness/etcd-bench.js';
import { waitReady } from '../harness/node-process.js';
import { pauseProcess } from '../harness/pause-process.js';
import { type WarmConnection, warmConnection } from '../harness/warm-connection.js';
import { allReplicated, assertRemembered, crowd, roundTotals } from './edge-rows.js';
import { value } from './rows-contract.js';
import { TakeoverBench } from './takeover-bench.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra') || skipWithoutEngine('etcd');
/** Later than a node of these tests needs for a lease to end and its journal to be built, on a busy machine. */
const TAKEOVER_MS = 90_000;

describe('a takeover by the rows', { skip }, () => {
  let bench: TakeoverBench;
  before(async () => {
    bench = await TakeoverBench.start();
  });
  after(() => bench?.remove());

  async function connections(t: TestContext, port: number, count: number): Promise<WarmConnection[]> {
    const all = await Promise.all(
      Array.from({ length: count }, () => warmConnection(port, '/v1/rounds/crowd')),
    );
    t.after(() => {
      for (const each of all) each.close();
    });
    return all;
  }

  test('from an owner that was paused with rows in hand: it tells nobody yes, and they count nowhere', async (t) => {
    const proxy = await cutProxy(bench.cassandra.contactPoint);
    t.after(() => proxy.close());
    const { cluster, env, owner, standby } = await bench.pair(t, 'replicated', proxy.address);
    const told = await crowd(owner.edge, 'before', 50);
    for (const { status } of told) assert.equal(status, 201);
    const held = await connections(t, owner.edge.publicPort, 10);
    const late = await connections(t, owner.edge.publicPort, 10);
    await allReplicated(owner.edge);
    const sequence = (await metricOrNull(owner.edge, 'openbell_journal_sequence')) ?? 0;

    // These are journaled, and wait for Cassandra; those come while it stands still.
    proxy.refuse();
    const waiting = held.map((connection, i) => connection.ask(investRequest(`held-${i}`)));
    await until(
      'ten rows in hand',
      async () => (await metricOrNull(owner.edge, 'openbell_journal_sequence')) === sequence + 10,
    );
    await pauseProcess(owner.edge);
    const sleeping = late.map((connection, i) => connection.ask(investRequest(`late-${i}`)));
    proxy.accept();

    await waitReady(standby.edge, standby.edge.adminUrl, TAKEOVER_MS);
    await assertRemembered(standby.edge, told);
    const after = await crowd(standby.edge, 'after', 50);
    for (const { status } of after) assert.equal(status, 201);
    const etcd = clientOf(t, bench.etcd.clientAddress);
    const mark = async (): Promise<{ epoch: number; sequence: number; journalId: string }> =>
      JSON.parse((await storedValue(etcd, `${cluster}/edge/watermark`)) ?? '{}');
    const [own, epoch] = [await mark(), await metricOrNull(standby.edge, 'openbell_epoch')];
    assert.equal(own.epoch, epoch);

    owner.edge.signal('SIGCONT');
    for (const answer of await Promise.all([...waiting, ...sleeping])) {
      assert.match(answer?.body ?? assert.fail('no answer'), /"code":"fenced"/);
      assert.equal(answer?.status, 503);
    }
    assert.equal((await owner.edge.exited).code, 75, owner.edge.stderr());
    assert.match(owner.edge.stderr(), /fenced: /);

    const afterwards = await mark();
    assert.deepEqual(
      [afterwards.epoch, afterwards.journalId],
      [epoch, own.journalId],
      'no watermark of the old one',
    );
    await allReplicated(standby.edge);
    const store = new CassandraRowStore(bench.options, cluster);
    t.after(() => store.close());
    const book = new EpochBook(value(await store.epochs()));
    const rows = value(await store.bucketRows({ id: 'crowd', number: 1 }, 0));
    const investors = rows
      .filter((one) => book.counts(one.sequence, one.epoch))
      .map(({ row }) => (row.ok && 'investor' in row.value ? row.value.investor : ''));
    const expected = [...told, ...after].map(({ investor }) => investor);
    assert.deepEqual(investors.toSorted(), expected.toSorted(), 'no row of the old one counts');

    // And the next takeover knows what the standby told, not what the old owner had in hand.
    const totals = await roundTotals(standby.edge);
    await standby.edge.kill();
    const third = await nodeOf(t, cluster, 'three', { etcd: bench.etcd.clientAddress, env });
    assert.deepEqual(await roundTotals(third.edge), totals);
    await assertRemembered(third.edge, [...told, ...after]);
    const again = await invest(third.edge, 'held-0');
    assert.equal(again.status, 201, 'who was told that it is unknown may still invest');
    assert.equal((await roundTotals(third.edge))['investors'], 101, 'as a new one');
  });

  test('that was killed before the watermark spoke of the new journal can be started again', async (t) => {
    const { cluster, env, owner, standby } = await bench.pair(t, 'replicated');
    const told = await crowd(owner.edge, 'before', 20);
    await owner.edge.kill();
    const etcd = clientOf(t, bench.etcd.clientAddress);
    const key = `${cluster}/edge/watermark`;
    const before = (await storedValue(etcd, key)) ?? assert.fail('a watermark');
    await waitReady(standby.edge, standby.edge.adminUrl, TAKEOVER_MS);
    assert.notEqual(await storedValue(etcd, key), before);
    await standby.edge.stop();
    // As it was when the new journal had just been put in place.
    await change(etcd, [{ put: key, value: before }]);
    rmSync(join(standby.dataDir, 'edge', 'watermark.json'));
    const { dataDir } = standby;
    const again = await nodeOf(t, cluster, 'two', { etcd: bench.etcd.clientAddress, env, dataDir });
    await assertRemembered(again.edge, told);
  });
});
