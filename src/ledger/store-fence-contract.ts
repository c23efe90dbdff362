// What every store of the ledger keeps about fencing tokens and epochs, for the tests of each: an older ledger, and an
// older owner of a round, change nothing.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Books, done, investment, investor, settle } from './books-bench.js';

/** Registers the tests, on books that `newBooks` makes for each. */
export function storeFenceContract(newBooks: (t: TestContext) => Promise<Books>): void {
  describe('tokens and epochs', () => {
    test('nobody has claimed it: no token, and no epoch is stale', async (t) => {
      const store = await (await newBooks(t)).open();
      assert.equal(await store.fencingToken(), 0);
      await store.openAccounts([investor('alice', 1_000)]);
      const kinds = (await settle(store, investment('a', { epoch: 7 }), investment('b', { epoch: 3 }))).map(
        ({ kind }) => kind,
      );
      assert.deepEqual(kinds, ['outcome', 'outcome']);
      await store.close();
    });

    test('the highest token is remembered; a lower one is refused, the same one is not', async (t) => {
      const { open } = await newBooks(t);
      let store = await open();
      assert.ok((await store.claim(5)).ok);
      assert.equal(await store.fencingToken(), 5);
      await store.close();
      store = await open();
      assert.equal(await store.fencingToken(), 5);
      const lower = await store.claim(4);
      assert.ok(!lower.ok && lower.error.isFenced && lower.error.isFatal);
      assert.equal(await store.fencingToken(), 5);
      await store.close();
      store = await open();
      assert.ok((await store.claim(5)).ok);
      await store.close();
    });

    test('once a higher token has claimed it, the older process changes nothing', async (t) => {
      const { open } = await newBooks(t);
      const old = await open();
      assert.ok((await old.claim(1)).ok);
      await old.openAccounts([investor('alice', 1_000)]);
      const next = await open();
      assert.ok((await next.claim(2)).ok);
      const before = await done(next.totals());

      const settled = await old.settle([investment('late')]);
      assert.ok(!settled.ok && settled.error.isFenced && settled.error.isFatal, JSON.stringify(settled));
      assert.equal((await old.failed).isFenced, true);
      await assert.rejects(old.openAccounts([investor('bob', 5)]));
      await assert.rejects(
        old.transfer({ id: 't', from: 'external', to: 'investor:alice', amount: 1, currency: 'GBP' }),
      );
      assert.deepEqual(await done(next.totals()), before);
      assert.equal((await done(next.account('alice', 1)))?.balance, 1_000);
      assert.equal((await settle(next, investment('now')))[0]?.kind, 'outcome');
      await old.close();
      await next.close();
    });

    test('an older epoch of a round is stale, also after a restart, and changes nothing (I10)', async (t) => {
      const { open } = await newBooks(t);
      let store = await open();
      assert.ok((await store.claim(1)).ok);
      await store.openAccounts([investor('alice', 1_000)]);
      assert.equal((await settle(store, investment('a', { epoch: 4 })))[0]?.kind, 'outcome');
      assert.equal(await store.roundEpoch('crowd'), 4);
      await store.close();
      store = await open();
      assert.ok((await store.claim(2)).ok);
      const before = await done(store.totals());
      const late = await settle(store, investment('b', { epoch: 3 }), investment('a', { epoch: 3 }));
      assert.deepEqual(late, [
        { kind: 'stale', epoch: 4 },
        { kind: 'stale', epoch: 4 },
      ]);
      assert.deepEqual(await done(store.totals()), before);
      // Published again by the owner of now, the same investments get their outcomes.
      const kinds = (await settle(store, investment('a', { epoch: 5 }), investment('b', { epoch: 5 }))).map(
        (each) => each.kind === 'outcome' && each.isReplay,
      );
      assert.deepEqual(kinds, [true, false]);
      await store.close();
    });

    test('a repeated outcome under a newer epoch makes the older one stale; other rounds have epochs of their own', async (t) => {
      const store = await (await newBooks(t)).open();
      assert.ok((await store.claim(1)).ok);
      await store.openAccounts([investor('alice', 1_000)]);
      await settle(store, investment('a', { epoch: 2 }));
      await settle(store, investment('a', { epoch: 9 }));
      assert.equal(await store.roundEpoch('crowd'), 9);
      const [same, other] = await settle(
        store,
        investment('b', { epoch: 8 }),
        investment('c', { epoch: 1, round: 'other' }),
      );
      assert.deepEqual(same, { kind: 'stale', epoch: 9 });
      assert.equal(other?.kind, 'outcome');
      assert.equal(await store.roundEpoch('other'), 1);
      assert.equal(await store.roundEpoch('unknown'), 0);
      await store.close();
    });

    test('books that were claimed once open without a claim as well: back on one machine', async (t) => {
      const { open } = await newBooks(t);
      const claimed = await open();
      assert.ok((await claimed.claim(7)).ok);
      await claimed.openAccounts([investor('alice', 1_000)]);
      await settle(claimed, investment('a', { epoch: 5 }));
      await claimed.close();
      const store = await open();
      assert.equal((await settle(store, investment('b', { epoch: 1 })))[0]?.kind, 'outcome');
      assert.equal(await store.fencingToken(), 7);
      assert.deepEqual(await done(store.verify()), []);
      await store.close();
    });
  });
}
