// Accounts and transfers by hand in the books, and the outbox that tells the edge of them: what every store must do.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Books, done, investment, investor, settle } from './books-bench.js';

/** Registers the tests, on books that `newBooks` makes for each. */
export function accountsContract(newBooks: (t: TestContext) => Promise<Books>): void {
  test('an account that exists keeps its balance and may change its eligibility', async (t) => {
    const store = await (await newBooks(t)).open();
    assert.deepEqual(await store.openAccounts([investor('alice', 5), investor('alice', 6, false)]), {
      ok: true,
      value: { opened: 1, existing: 1 },
    });
    const alice = await done(store.account('alice', 10));
    assert.deepEqual(
      [alice?.balance, alice?.eligible, alice?.version, alice?.entries.length],
      [5, false, 2, 1],
    );
    assert.deepEqual(await store.openAccounts([investor('alice', 7, false)]), {
      ok: true,
      value: { opened: 0, existing: 1 },
    });
    assert.equal((await done(store.account('alice', 10)))?.version, 2);
    await store.close();
  });

  test('accounts are opened all or none', async (t) => {
    const store = await (await newBooks(t)).open();
    await store.openAccounts([investor('alice', 5)]);
    const most = Number.MAX_SAFE_INTEGER;
    for (const [lines, code] of [
      [[investor('bob', 1), investor('alice', 5, true, 'EUR')], 'currency-mismatch'],
      [[investor('bob', 1), investor('bob', 1, true, 'EUR')], 'currency-mismatch'],
      [[investor('bob', most)], 'malformed-request'],
      [[investor('bob', most - 5), investor('carol', 1)], 'malformed-request'],
    ] as const) {
      const opened = await store.openAccounts(lines);
      assert.equal(!opened.ok && opened.error.code, code);
    }
    assert.equal(await done(store.account('bob', 1)), null);
    assert.ok((await store.openAccounts([investor('bob', most - 5)])).ok);
    assert.deepEqual(await done(store.verify()), []);
    await store.close();
  });

  test('transfers: idempotent, refused whole, and never below zero', async (t) => {
    const store = await (await newBooks(t)).open();
    await store.openAccounts([investor('alice', 100), investor('bob', 0), investor('emma', 0, true, 'EUR')]);
    const transfer = (id: string, from: string, to: string, amount: number, currency = 'GBP') =>
      store.transfer({ id, from, to, amount, currency });
    const first = await transfer('1', 'investor:alice', 'investor:bob', 60);
    assert.ok(first.ok && !first.value.isReplay);
    const again = await transfer('1', 'investor:alice', 'investor:bob', 60);
    assert.ok(again.ok && again.value.isReplay && again.value.at === first.value.at);
    for (const [change, code] of [
      [transfer('1', 'investor:alice', 'investor:bob', 61), 'transfer-conflict'],
      [transfer('2', 'investor:alice', 'investor:bob', 41), 'insufficient-balance'],
      [transfer('2', 'investor:alice', 'investor:nobody', 1), 'account-not-found'],
      [transfer('2', 'investor:nobody', 'investor:alice', 1), 'account-not-found'],
      [transfer('2', 'escrow:nowhere', 'investor:alice', 1), 'account-not-found'],
      [transfer('2', 'investor:alice', 'investor:emma', 1), 'currency-mismatch'],
      [transfer('2', 'investor:alice', 'external', 1, 'EUR'), 'currency-mismatch'],
      [transfer('2', 'external', 'investor:alice', Number.MAX_SAFE_INTEGER), 'malformed-request'],
    ] as const) {
      const refused = await change;
      assert.equal(!refused.ok && refused.error.code, code);
    }
    // A refused id is not used up.
    assert.ok((await transfer('2', 'investor:alice', 'escrow:crowd', 40)).ok);
    assert.ok((await transfer('3', 'escrow:crowd', 'external', 30)).ok);
    const [round] = (await done(store.totals())).rounds;
    assert.deepEqual([round?.escrow, round?.settled, round?.transferred], [10, 0, 10]);
    const alice = await done(store.account('alice', 100));
    assert.deepEqual(
      alice?.entries.map((entry) => [entry.id, entry.amount, entry.balance, entry.counterparty]),
      [
        ['2', -40, 0, 'escrow:crowd'],
        ['1', -60, 40, 'investor:bob'],
        ['opening', 100, 100, 'external'],
      ],
    );
    assert.deepEqual(await done(store.verify()), []);
    await store.close();
  });

  test('balance changes wait in the outbox, once per investor and as they are now, until they are sent', async (t) => {
    const books = await newBooks(t);
    let store = await books.open();
    await store.openAccounts([investor('alice', 100), investor('bob', 50)]);
    const pay = (id: string) =>
      store.transfer({ id, from: 'external', to: 'investor:alice', amount: 1, currency: 'GBP' });
    await pay('1');
    assert.equal((await done(store.totals())).balancesQueued, 2);
    const batch = await done(store.queuedBalances(10));
    assert.deepEqual(
      batch.messages.map(({ investor: name, balance, version }) => [name, balance, version]),
      [
        ['alice', 101, 2],
        ['bob', 50, 1],
      ],
    );
    // Changed while the batch is on its way: it has to go out again.
    await pay('2');
    await pay('3');
    await done(store.balancesSent(batch.upTo));
    await store.close();
    store = await books.open();
    const next = await done(store.queuedBalances(10));
    assert.deepEqual(
      next.messages.map(({ investor: name, balance }) => [name, balance]),
      [['alice', 103]],
    );
    await done(store.balancesSent(next.upTo));
    assert.deepEqual((await done(store.queuedBalances(10))).messages, []);
    // All of it is done, and this process starts anew: a change must not be taken for one that waits.
    await store.close();
    store = await books.open();
    await pay('4');
    assert.equal((await done(store.queuedBalances(10))).messages[0]?.balance, 104);
    // An outcome tells the balance itself.
    await settle(store, investment('a'));
    assert.equal((await done(store.totals())).balancesQueued, 1);
    await store.close();
  });
}
