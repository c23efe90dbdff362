// Shared rounds and investor locks in a real etcd: only the owner's, only while it is the owner, and right after a lost reply.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { cutProxy } from '../../../test/harness/cut-proxy.js';
import { skipWithoutEngine } from '../../../test/harness/engine-files.js';
import { type Etcd, startEtcd } from '../../../test/harness/etcd.js';
import { clientOf, freshKeys, ownershipOf, storedValue } from '../../../test/harness/etcd-bench.js';
import { investors, locked, locksContract } from '../locks-contract.js';
import { roundRegistryContract, sharedRound } from '../round-registry-contract.js';
import type { EtcdClient } from './etcd-client.js';
import type { EtcdKeys } from './etcd-keys.js';
import { EtcdInvestorLocks } from './etcd-locks.js';
import type { EtcdOwnership } from './etcd-ownership.js';
import { EtcdRoundRegistry } from './etcd-rounds.js';

const skip = skipWithoutEngine('etcd');
let etcd: Etcd;

before(async () => {
  if (skip === false) etcd = await startEtcd();
});
after(() => etcd?.remove());

async function ownerOf(
  client: EtcdClient,
  keys: EtcdKeys,
  role: 'edge' | 'ledger',
  node = 'one',
): Promise<EtcdOwnership> {
  const acquired = await ownershipOf(client, keys, node).acquire(role);
  assert.ok(acquired.ok, JSON.stringify(acquired));
  return acquired.value;
}

roundRegistryContract(
  'etcd',
  async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const ownership = await ownerOf(client, keys, 'edge');
    t.after(() => ownership.release());
    return {
      registry: new EtcdRoundRegistry({ client, keys, ownership }),
      epoch: ownership.epoch,
      next: async () => {
        await ownership.release();
        const next = await ownerOf(client, keys, 'edge', 'two');
        t.after(() => next.release());
        return { registry: new EtcdRoundRegistry({ client, keys, ownership: next }), epoch: next.epoch };
      },
    };
  },
  { skip },
);

interface Locker {
  readonly locks: EtcdInvestorLocks;
  readonly ownership: EtcdOwnership;
}

async function lockerOf(t: TestContext, client: EtcdClient, keys: EtcdKeys, node = 'one'): Promise<Locker> {
  const ownership = await ownerOf(client, keys, 'ledger', node);
  t.after(() => ownership.release());
  return { ownership, locks: new EtcdInvestorLocks({ client, keys, ownership }) };
}

locksContract('etcd', async (t) => (await lockerOf(t, clientOf(t, etcd.clientAddress), freshKeys())).locks, {
  skip,
});

describe('shared rounds in etcd', { skip }, () => {
  test('each round shows its owner, who is gone with the lease; its definition stays', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const ownership = await ownerOf(client, keys, 'edge');
    const registry = new EtcdRoundRegistry({ client, keys, ownership });
    assert.ok((await registry.put([sharedRound(ownership.epoch, 1)])).ok);
    assert.equal(await storedValue(client, keys.round('crowd', 'owner')), String(ownership.epoch));
    await ownership.release();
    assert.equal(await storedValue(client, keys.round('crowd', 'owner')), undefined);
    assert.notEqual(await storedValue(client, keys.round('crowd', 'definition')), undefined);
  });

  test('a reply that was lost: put again, it is as put once', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const proxy = await cutProxy(etcd.clientAddress);
    t.after(() => proxy.close());
    const ownership = await ownerOf(client, keys, 'edge');
    t.after(() => ownership.release());
    const registry = new EtcdRoundRegistry({ client: clientOf(t, proxy.address), keys, ownership });
    const round = sharedRound(ownership.epoch, 1);
    proxy.cutReply(2);
    assert.ok((await registry.put([round])).ok);
    assert.equal(proxy.cuts, 1);
    assert.deepEqual(await registry.list(), { ok: true, value: [round] });
  });
});

describe('investor locks in etcd', { skip }, () => {
  test('seen by others, on the lease of the ledger, and gone when it is', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const first = await lockerOf(t, client, keys);
    await locked(first.locks, investors(120));
    for (const name of ['investor-0', 'investor-119']) {
      assert.notEqual(await storedValue(client, keys.investor(name)), undefined);
    }
    await first.ownership.release();
    assert.equal(await storedValue(client, keys.investor('investor-119')), undefined);
    const second = await lockerOf(t, client, keys, 'two');
    await (await locked(second.locks, investors(120))).release();
    assert.equal(await storedValue(client, keys.investor('investor-0')), undefined);
  });

  test('a key of somebody else is in the way, and is not taken over', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const { locks } = await lockerOf(t, client, keys);
    const put = { put: keys.investor('bob'), value: 'somebody' };
    assert.ok((await client.txn({ when: [], change: [put], otherwise: [] })).ok);
    const refused = await locks.acquire(['alice', 'bob']);
    assert.deepEqual(refused, { ok: false, error: { code: 'held', investors: ['bob'] } });
    assert.equal(await storedValue(client, keys.investor('alice')), undefined);
    await (await locked(locks, ['alice'])).release();
  });

  test('a ledger that owns the books no more locks nothing', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const old = await lockerOf(t, client, keys);
    await client.revoke(old.ownership.lease);
    const next = await lockerOf(t, client, keys, 'two');
    const refused = await old.locks.acquire(['alice']);
    assert.equal(!refused.ok && refused.error.code, 'lost');
    await (await locked(next.locks, ['alice'])).release();
  });

  test('a reply that was lost: taken once, and let go of once', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const proxy = await cutProxy(etcd.clientAddress);
    t.after(() => proxy.close());
    const { ownership } = await lockerOf(t, client, keys);
    const locks = new EtcdInvestorLocks({ client: clientOf(t, proxy.address), keys, ownership });
    proxy.cutReply(1);
    const held = await locked(locks, investors(90));
    assert.equal(proxy.cuts, 1);
    proxy.cutReply(1);
    await held.release();
    assert.equal(proxy.cuts, 2);
    assert.equal(await storedValue(client, keys.investor('investor-7')), undefined);
    await (await locked(locks, investors(90))).release();
  });

  test('locks that could not be let go of are taken over by the same process, and by no other', async (t) => {
    const [client, keys] = [clientOf(t, etcd.clientAddress), freshKeys()];
    const proxy = await cutProxy(etcd.clientAddress);
    t.after(() => proxy.close());
    const { ownership } = await lockerOf(t, client, keys);
    const locks = new EtcdInvestorLocks({ client: clientOf(t, proxy.address), keys, ownership });
    const held = await locked(locks, ['alice']);
    proxy.refuse();
    await held.release();
    assert.notEqual(await storedValue(client, keys.investor('alice')), undefined, 'it is left over');
    const away = await locks.acquire(['alice']);
    assert.equal(!away.ok && away.error.code, 'unreachable');
    proxy.accept();
    const other = new EtcdInvestorLocks({ client, keys, ownership });
    const refused = await other.acquire(['alice']);
    assert.equal(!refused.ok && refused.error.code, 'held');
    await (await locked(locks, ['alice', 'bob'])).release();
    await (await locked(other, ['alice', 'bob'])).release();
  });
});
