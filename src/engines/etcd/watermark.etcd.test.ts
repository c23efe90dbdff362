// The watermark in a real etcd: what every watermark keeps, and how a transaction that was made twice is told from one
// that was stolen.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { cutProxy } from '../../../test/harness/cut-proxy.js';
import { skipWithoutEngine } from '../../../test/harness/engine-files.js';
import { type Etcd, startEtcd } from '../../../test/harness/etcd.js';
import { change, clientOf, freshKeys } from '../../../test/harness/etcd-bench.js';
import { mark, watermarkContract } from '../watermark-contract.js';
import type { EtcdClient } from './etcd-client.js';
import type { EtcdKeys } from './etcd-keys.js';
import { EtcdWatermarkStore } from './etcd-watermark.js';

const skip = skipWithoutEngine('etcd');
let etcd: Etcd;

before(async () => {
  if (skip === false) etcd = await startEtcd();
});
after(() => etcd?.remove());

interface Place {
  readonly keys: EtcdKeys;
  readonly client: EtcdClient;
  open(): EtcdWatermarkStore;
  owned(epoch: number): Promise<void>;
}

async function fresh(t: TestContext): Promise<Place> {
  const keys = freshKeys();
  const client = clientOf(t, etcd.clientAddress);
  return {
    keys,
    client,
    open: () => new EtcdWatermarkStore(client, keys),
    owned: (epoch) => change(client, [{ put: keys.epoch('edge'), value: String(epoch) }]),
  };
}

watermarkContract('etcd', fresh, { skip });

describe('the watermark in etcd', { skip }, () => {
  test('a reply that was lost: the same transaction again is known for our own', async (t) => {
    const { keys, open, owned } = await fresh(t);
    await owned(1);
    const proxy = await cutProxy(etcd.clientAddress);
    t.after(() => proxy.close());
    const store = new EtcdWatermarkStore(clientOf(t, proxy.address), keys);
    assert.ok((await store.write(mark(1, 10))).ok);
    proxy.cutReply(1);
    assert.deepEqual(await store.write(mark(1, 20)), { ok: true, value: undefined });
    assert.equal(proxy.cuts, 1, 'the reply was really lost');
    const read = await open().read();
    assert.deepEqual(read, { ok: true, value: mark(1, 20) });
    assert.ok((await store.write(mark(1, 30))).ok);
  });

  test('a reply that was lost for good: the next mark finds that it is our own, and goes on', async (t) => {
    const { keys, open, owned } = await fresh(t);
    await owned(1);
    const proxy = await cutProxy(etcd.clientAddress);
    t.after(() => proxy.close());
    const store = new EtcdWatermarkStore(clientOf(t, proxy.address), keys);
    assert.ok((await store.write(mark(1, 10))).ok);
    proxy.cutReply(1, { thenRefuse: true });
    const lost = await store.write(mark(1, 20));
    assert.equal(!lost.ok && lost.error.code, 'unavailable');
    assert.deepEqual(await open().read(), { ok: true, value: mark(1, 20) }, 'it had been made');
    proxy.accept();
    assert.ok((await store.write(mark(1, 25))).ok);
    assert.deepEqual(await open().read(), { ok: true, value: mark(1, 25) });
  });

  test('a mark under our epoch that is not ours was stolen: fenced', async (t) => {
    const { open, owned } = await fresh(t);
    await owned(1);
    const [ours, thief] = [open(), open()];
    assert.ok((await ours.write(mark(1, 10))).ok);
    // It read the mark after ours, so its own transaction is made.
    assert.ok((await thief.write(mark(1, 11))).ok);
    const written = await ours.write(mark(1, 12));
    assert.equal(!written.ok && written.error.code, 'fenced');
    assert.deepEqual(await open().read(), { ok: true, value: mark(1, 11) });
  });

  test('an owner that came meanwhile fences a writer that was in the middle of its work', async (t) => {
    const { open, owned } = await fresh(t);
    await owned(1);
    const old = open();
    assert.ok((await old.write(mark(1, 10))).ok);
    await owned(2);
    const written = await old.write(mark(1, 11));
    assert.equal(!written.ok && written.error.code, 'fenced');
    assert.match(
      written.ok ? '' : written.error.message,
      /epoch in etcd is 2, and this process runs under 1/,
    );
    const next = open();
    assert.ok((await next.write(mark(2, 10))).ok);
  });

  test('an etcd that has forgotten everything does not make an owner of a former one', async (t) => {
    const { client, keys, open, owned } = await fresh(t);
    await owned(1);
    const store = open();
    assert.ok((await store.write(mark(1, 10))).ok);
    await change(client, [{ remove: keys.epoch('edge') }, { remove: keys.watermark }]);
    const written = await store.write(mark(1, 11));
    assert.equal(!written.ok && written.error.code, 'fenced');
  });

  test('two clusters in one etcd do not meet', async (t) => {
    const [one, two] = [await fresh(t), await fresh(t)];
    await one.owned(1);
    await two.owned(1);
    assert.ok((await one.open().write(mark(1, 10))).ok);
    assert.deepEqual(await two.open().read(), { ok: true, value: null });
  });

  test('a damaged mark is an error, not a first start', async (t) => {
    const { client, keys, open, owned } = await fresh(t);
    await owned(1);
    for (const value of ['', '{', 'null', '{"epoch":1}', '{"epoch":1.5,"sequence":1}']) {
      await change(client, [{ put: keys.watermark, value }]);
      assert.ok(!(await open().read()).ok, value);
      const written = await open().write(mark(1, 1));
      assert.equal(!written.ok && written.error.code, 'unavailable', value);
    }
  });
});
