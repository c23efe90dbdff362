// Ownership in a real etcd: one owner at a time, an epoch that no two owners share, replies that get lost, leases that end,
// and an etcd that dies or stands still.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { cutProxy } from '../../../test/harness/cut-proxy.js';
import { skipWithoutEngine } from '../../../test/harness/engine-files.js';
import { type Etcd, startEtcd } from '../../../test/harness/etcd.js';
import {
  change,
  clientOf,
  freshKeys,
  ownershipOf,
  storedValue,
  until,
} from '../../../test/harness/etcd-bench.js';
import { ownershipContract } from '../ownership-contract.js';
import { EtcdClient } from './etcd-client.js';
import type { EtcdOwnership, EtcdOwnershipStore } from './etcd-ownership.js';

const skip = skipWithoutEngine('etcd');
let etcd: Etcd;

before(async () => {
  if (skip === false) etcd = await startEtcd({ heartbeatIntervalMs: 50, electionTimeoutMs: 500 });
});
after(() => etcd?.remove());

const nowNs = (): bigint => process.hrtime.bigint();

/** Lets something else happen between what it has read and its first transaction. */
class SlowClient extends EtcdClient {
  #meanwhile: (() => Promise<void>) | null;

  constructor(t: TestContext, meanwhile: () => Promise<void>) {
    super({ endpoints: [etcd.clientAddress], tls: null, login: null });
    this.#meanwhile = meanwhile;
    t.after(() => this.close());
  }

  override async txn(...asked: Parameters<EtcdClient['txn']>): ReturnType<EtcdClient['txn']> {
    const meanwhile = this.#meanwhile;
    this.#meanwhile = null;
    await meanwhile?.();
    return super.txn(...asked);
  }
}

async function take(store: EtcdOwnershipStore): Promise<EtcdOwnership> {
  const acquired = await store.acquire('edge');
  assert.ok(acquired.ok, JSON.stringify(acquired));
  return acquired.value;
}

ownershipContract('etcd', async (t) => ownershipOf(clientOf(t, etcd.clientAddress), freshKeys(), 'one'), {
  skip,
});

describe('ownership in etcd', { skip }, () => {
  test('one owner at a time; the next one has a higher epoch', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const [one, two] = [ownershipOf(client, keys, 'one'), ownershipOf(client, keys, 'two')];
    const first = await take(one);
    const refused = await two.acquire('edge');
    assert.ok(!refused.ok && refused.error.code === 'held');
    assert.equal(refused.error.owner.node, 'one');
    assert.equal(refused.error.owner.epoch, first.epoch);
    await first.release();
    const second = await take(two);
    assert.equal(second.epoch, first.epoch + 1);
    await second.release();
  });

  test('of many who ask at once exactly one is the owner', async (t) => {
    const keys = freshKeys();
    const stores = Array.from({ length: 12 }, (_, i) =>
      ownershipOf(clientOf(t, etcd.clientAddress), keys, `node-${i}`),
    );
    const epochs: number[] = [];
    for (let round = 0; round < 3; round++) {
      const acquired = await Promise.all(stores.map((store) => store.acquire('edge')));
      const owners = acquired.flatMap((each) => (each.ok ? [each.value] : []));
      assert.equal(owners.length, 1);
      epochs.push(owners[0]!.epoch);
      await owners[0]!.release();
    }
    assert.deepEqual(epochs, [epochs[0], epochs[0]! + 1, epochs[0]! + 2]);
  });

  test('a reply that was lost is told from a role that another has taken', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const proxy = await cutProxy(etcd.clientAddress);
    t.after(() => proxy.close());
    const one = ownershipOf(clientOf(t, proxy.address), keys, 'one');
    // What is asked: read, grant, take. The third reply is the one that is lost.
    proxy.cutReply(3);
    const owner = await take(one);
    assert.equal(proxy.cuts, 1);
    assert.equal(owner.epoch, 1, 'it was taken once, not twice');
    assert.equal(await storedValue(client, keys.epoch('edge')), '1');
    const other = await ownershipOf(client, keys, 'two').acquire('edge');
    assert.equal(!other.ok && other.error.code, 'held');
    proxy.cutReply(1);
    assert.deepEqual(
      await owner.raiseAbove(10),
      { ok: true, value: undefined },
      'the same for a raised epoch',
    );
    assert.equal(proxy.cuts, 2);
    assert.equal(owner.epoch, 11);
    await owner.release();
  });

  test('an owner that is not heard of any more loses its role when the lease ends, and not before', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const lonely = clientOf(t, etcd.clientAddress);
    const sentNs = nowNs();
    const first = await take(ownershipOf(lonely, keys, 'one', { ttlS: 2 }));
    lonely.close();
    const lost = first.lost.then(() => nowNs());
    let second: EtcdOwnership | null = null;
    await until(async () => {
      const asked = await ownershipOf(client, keys, 'two').acquire('edge');
      if (asked.ok) second = asked.value;
      return asked.ok;
    });
    const takenNs = nowNs();
    assert.ok((await lost) < takenNs, 'the first had stopped by itself before the second could begin');
    assert.equal(first.word.expired(nowNs()), true);
    assert.ok(takenNs - sentNs >= 2_000_000_000n, 'the lease was kept to its end');
    assert.equal(second!.epoch, 2);
    await second!.release();
  });

  test('keepalives keep it, and move the word', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const owner = await take(ownershipOf(client, keys, 'one', { ttlS: 2 }));
    await until(() => owner.renewals.confirmed >= 8);
    assert.equal(owner.word.expired(nowNs()), false);
    assert.equal((await ownershipOf(client, keys, 'two').acquire('edge')).ok, false);
    await owner.release();
  });

  test('a lease that is ended from outside ends the owner at once', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const owner = await take(ownershipOf(client, keys, 'one', { ttlS: 2 }));
    await client.revoke(owner.lease);
    assert.equal(await owner.lost, 'etcd has ended the lease');
    assert.equal(owner.word.expired(nowNs()), true);
    const raised = await owner.raiseAbove(100);
    assert.ok(!raised.ok, 'an owner of the past raises no epoch');
  });

  test('an earlier process of the same place need not be waited for; one of another place must', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const dead = clientOf(t, etcd.clientAddress);
    const first = await take(ownershipOf(dead, keys, 'one', { place: 'here' }));
    dead.close(); // as by kill -9: nothing is given back
    const elsewhere = await ownershipOf(client, keys, 'one', { place: 'there' }).acquire('edge');
    assert.equal(!elsewhere.ok && elsewhere.error.code, 'held', 'the same name is no proof');
    const again = await take(ownershipOf(client, keys, 'one', { place: 'here' }));
    assert.equal(again.epoch, first.epoch + 1);
    await again.release();
  });

  test('another one that came and went between look and take has had its epoch: it is not given twice', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    let other: EtcdOwnership | null = null;
    const slow = new SlowClient(t, async () => {
      other = await take(ownershipOf(client, keys, 'two'));
      await other.release();
    });
    const owner = await take(ownershipOf(slow, keys, 'one'));
    assert.equal(other!.epoch, 1);
    assert.equal(owner.epoch, 2);
    await owner.release();
  });

  test('an owner key that appears between look and take is an owner, also without an epoch', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const slow = new SlowClient(t, () =>
      change(client, [{ put: keys.owner('edge'), value: '{"node":"two"}' }]),
    );
    const refused = await ownershipOf(slow, keys, 'one').acquire('edge');
    assert.ok(!refused.ok && refused.error.code === 'held');
    assert.equal(refused.error.owner.node, 'two');
    assert.equal(await storedValue(client, keys.epoch('edge')), undefined);
  });

  test('an epoch in etcd that is none is not counted on from', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    await change(client, [{ put: keys.epoch('edge'), value: 'many' }]);
    const refused = await ownershipOf(client, keys, 'one').acquire('edge');
    assert.equal(!refused.ok && refused.error.code, 'refused');
    await change(client, [{ remove: keys.epoch('edge') }, { put: keys.owner('edge'), value: 'somebody' }]);
    const held = await ownershipOf(client, keys, 'one').acquire('edge');
    assert.equal(!held.ok && held.error.code, 'held', 'an owner that cannot be read is an owner');
  });

  test('no etcd, and one that stands still, are failures and take a bounded time', async (t) => {
    const other = await startEtcd();
    t.after(() => other.remove());
    const store = ownershipOf(clientOf(t, other.clientAddress), freshKeys(), 'one');
    await other.pause();
    const paused = await store.acquire('edge');
    assert.equal(!paused.ok && paused.error.code, 'unreachable');
    other.resume();
    await other.kill();
    const dead = await store.acquire('edge');
    assert.equal(!dead.ok && dead.error.code, 'unreachable');
    await other.restart();
    await (await take(store)).release();
  });
});

describe('an owner and its etcd', { skip }, () => {
  test('killed and started again within the lease: the owner goes on', async (t) => {
    const own = await startEtcd();
    t.after(() => own.remove());
    const owner = await take(ownershipOf(clientOf(t, own.clientAddress), freshKeys(), 'one', { ttlS: 10 }));
    await until(() => owner.renewals.confirmed >= 1);
    await own.kill();
    await until(() => owner.renewals.failed >= 2);
    await own.restart();
    const { confirmed } = owner.renewals;
    await until(() => owner.renewals.confirmed > confirmed);
    assert.equal(owner.word.expired(nowNs()), false);
    await owner.release();
  });

  test('standing still for less than its share of the lease: the owner goes on', async (t) => {
    const own = await startEtcd();
    t.after(() => own.remove());
    const owner = await take(ownershipOf(clientOf(t, own.clientAddress), freshKeys(), 'one', { ttlS: 10 }));
    await own.pause();
    await until(() => owner.renewals.failed >= 1);
    own.resume();
    await until(() => owner.renewals.confirmed >= 1);
    assert.equal(owner.word.expired(nowNs()), false);
    await owner.release();
  });

  test('standing still for longer: the owner stops by itself, and stays stopped when etcd goes on', async (t) => {
    const own = await startEtcd();
    t.after(() => own.remove());
    const [client, keys] = [clientOf(t, own.clientAddress), freshKeys()];
    const owner = await take(ownershipOf(client, keys, 'one', { ttlS: 3 }));
    await own.pause();
    assert.match(await owner.lost, /no keepalive was confirmed within 2000 ms/);
    own.resume();
    await own.waitReady();
    assert.equal(owner.word.expired(nowNs()), true);
    let next: EtcdOwnership | null = null;
    await until(async () => {
      const asked = await ownershipOf(client, keys, 'two').acquire('edge');
      if (asked.ok) next = asked.value;
      return asked.ok;
    }, 20_000);
    assert.equal(next!.epoch, owner.epoch + 1);
    await next!.release();
  });
});
