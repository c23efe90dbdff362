// The client itself: the next endpoint when one fails, a bounded time when none answers, one attempt when one was asked for.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cutProxy } from '../../../test/harness/cut-proxy.js';
import { skipWithoutEngine } from '../../../test/harness/engine-files.js';
import { type Etcd, startEtcd } from '../../../test/harness/etcd.js';
import { clientOf, freshKeys, ownershipOf, until } from '../../../test/harness/etcd-bench.js';
import { freePorts } from '../../../test/harness/ports.js';

const skip = skipWithoutEngine('etcd');
let etcd: Etcd;

before(async () => {
  if (skip === false) etcd = await startEtcd();
});
after(() => etcd?.remove());

describe('the client of etcd', { skip }, () => {
  test('an endpoint that is not there costs one attempt; then the other one is asked first', async (t) => {
    const [dead] = await freePorts(1);
    const client = clientOf(t, `127.0.0.1:${dead}`, etcd.clientAddress);
    const alone = { attempts: 1 };
    assert.equal((await client.read([{ get: 'a' }], alone)).ok, false);
    for (let i = 0; i < 3; i++) assert.ok((await client.read([{ get: 'a' }], alone)).ok);
  });

  test('an endpoint that stands still is left after its deadline', async (t) => {
    const still = await startEtcd();
    t.after(() => still.remove());
    const client = clientOf(t, still.clientAddress, etcd.clientAddress);
    assert.ok((await client.read([{ get: 'a' }])).ok);
    await still.pause();
    const startedMs = performance.now();
    assert.ok((await client.read([{ get: 'a' }], { timeoutMs: 500 })).ok);
    assert.ok(performance.now() - startedMs < 5_000);
    still.resume();
  });

  test('an owner keeps its lease when its endpoint dies and another one lives', async (t) => {
    const [one, two] = await Promise.all([cutProxy(etcd.clientAddress), cutProxy(etcd.clientAddress)]);
    t.after(() => Promise.all([one.close(), two.close()]));
    const store = ownershipOf(clientOf(t, one.address, two.address), freshKeys(), 'one', { ttlS: 3 });
    const owned = await store.acquire('edge');
    assert.ok(owned.ok);
    one.refuse();
    const { confirmed } = owned.value.renewals;
    await until(() => owned.value.renewals.confirmed >= confirmed + 3);
    assert.ok(owned.value.renewals.failed >= 1, 'the first endpoint really was away');
    assert.equal(owned.value.word.expired(process.hrtime.bigint()), false);
    await owned.value.release();
  });

  test('a closed client fails at once, and what is outstanding ends', async (t) => {
    const client = clientOf(t, etcd.clientAddress);
    assert.ok((await client.read([{ get: 'a' }])).ok);
    client.close();
    const closed = await client.read([{ get: 'a' }]);
    assert.equal(!closed.ok && closed.error.message, 'the client of etcd is closed');
  });

  test('a lease that is gone: a keepalive says so, and ending it again is no failure', async (t) => {
    const client = clientOf(t, etcd.clientAddress);
    const lease = await client.grant(10);
    assert.ok(lease.ok);
    assert.deepEqual(await client.keepAlive(lease.value.id), { ok: true, value: 'alive' });
    for (let i = 0; i < 2; i++) assert.ok((await client.revoke(lease.value.id)).ok);
    assert.deepEqual(await client.keepAlive(lease.value.id), { ok: true, value: 'gone' });
  });

  test('what etcd itself refuses is refused, not out of reach', async (t) => {
    const client = clientOf(t, etcd.clientAddress);
    const put = { put: 'a', value: 'b' };
    const twice = await client.txn({ when: [], change: [put, put], otherwise: [] });
    assert.equal(!twice.ok && twice.error.code, 'refused');
  });
});
