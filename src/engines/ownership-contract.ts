// What every ownership keeps, for the tests of each: an epoch that only grows, and a word that ends with it.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Ownership, OwnershipStore } from './ownership.js';

const nowNs = (): bigint => process.hrtime.bigint();

/** @param fresh makes a store that nobody has owned anything of */
export function ownershipContract(
  name: string,
  fresh: (t: TestContext) => Promise<OwnershipStore>,
  options: { readonly skip?: string | false } = {},
): void {
  const acquire = async (store: OwnershipStore, role: 'edge' | 'ledger' = 'edge'): Promise<Ownership> => {
    const acquired = await store.acquire(role);
    assert.ok(acquired.ok, JSON.stringify(acquired));
    return acquired.value;
  };

  describe(`${name}: ownership`, { skip: options.skip ?? false }, () => {
    test('the owner may act, in every thread that has the word', async (t) => {
      const owner = await acquire(await fresh(t));
      assert.ok(owner.epoch >= 1);
      assert.equal(owner.word.expired(nowNs()), false);
      assert.ok(owner.wordMemory instanceof SharedArrayBuffer);
      await owner.release();
    });

    test('given back, it may act no more, and is not said to be lost', async (t) => {
      const owner = await acquire(await fresh(t));
      await owner.release();
      assert.equal(owner.word.expired(nowNs()), true);
      const said = await Promise.race([
        owner.lost,
        new Promise((resolve) => setImmediate(resolve, 'nothing')),
      ]);
      assert.equal(said, 'nothing');
    });

    test('the epoch is raised above what was seen elsewhere, and never lowered', async (t) => {
      const owner = await acquire(await fresh(t));
      assert.ok((await owner.raiseAbove(41)).ok);
      assert.equal(owner.epoch, 42);
      assert.ok((await owner.raiseAbove(7)).ok);
      assert.equal(owner.epoch, 42);
      assert.ok((await owner.raiseAbove(42)).ok);
      assert.equal(owner.epoch, 43);
      assert.equal(owner.word.expired(nowNs()), false);
      await owner.release();
    });

    test('the rounds and the books have owners of their own', async (t) => {
      const store = await fresh(t);
      const edge = await acquire(store, 'edge');
      const ledger = await acquire(store, 'ledger');
      await edge.release();
      assert.equal(ledger.word.expired(nowNs()), false);
      await ledger.release();
    });
  });
}
