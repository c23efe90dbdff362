// Investments in the books: one id one outcome, groups, conflicts, the cap, and the pages of outcomes: what every
// store must do.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Books, done, investment, investor, settle } from './books-bench.js';

/** Registers the tests, on books that `newBooks` makes for each. */
export function settleContract(newBooks: (t: TestContext) => Promise<Books>): void {
  test('two investments of one investor in one group see each other', async (t) => {
    const store = await (await newBooks(t)).open();
    await store.openAccounts([investor('alice', 150)]);
    const [first, second, third] = await settle(
      store,
      investment('a'),
      investment('b'),
      investment('c', { amount: 50 }),
    );
    assert.equal(first?.kind === 'outcome' && first.outcome.state, 'settled');
    assert.equal(second?.kind === 'outcome' && second.outcome.reason, 'insufficient-funds');
    assert.equal(third?.kind === 'outcome' && third.outcome.balance, 0);
    assert.deepEqual(await done(store.verify()), []);
    await store.close();
  });

  test('one id, one outcome: in a group, later, and after a restart; nothing moves twice', async (t) => {
    const books = await newBooks(t);
    let store = await books.open();
    await store.openAccounts([investor('alice', 1_000)]);
    const [first, twin] = await settle(store, investment('a'), investment('a'));
    assert.ok(first?.kind === 'outcome' && twin?.kind === 'outcome');
    assert.deepEqual([first.isReplay, twin.isReplay], [false, true]);
    assert.deepEqual(twin.outcome, first.outcome);
    // Balance and cap are another story by now; the outcome is not.
    await settle(store, investment('b', { amount: 900 }));
    await store.close();
    store = await books.open();
    const [again] = await settle(store, investment('a', { cap: 1 }));
    assert.deepEqual(again, { kind: 'outcome', outcome: first.outcome, isReplay: true });
    assert.equal((await done(store.account('alice', 10)))?.balance, 0);
    await store.close();
  });

  test('an id that belongs to something else is a conflict and changes nothing', async (t) => {
    const store = await (await newBooks(t)).open();
    await store.openAccounts([investor('alice', 1_000), investor('bob', 1_000)]);
    await settle(store, investment('a'));
    await store.transfer({ id: 't', from: 'external', to: 'investor:bob', amount: 1, currency: 'GBP' });
    const before = await done(store.totals());
    const others = [{ investor: 'bob' }, { amount: 101 }, { round: 'other' }, { currency: 'EUR' }];
    for (const other of others)
      assert.equal((await settle(store, investment('a', other)))[0]?.kind, 'conflict');
    assert.equal((await settle(store, investment('t')))[0]?.kind, 'conflict');
    const transfer = await store.transfer({
      id: 'a',
      from: 'external',
      to: 'escrow:x',
      amount: 1,
      currency: 'GBP',
    });
    assert.equal(!transfer.ok && transfer.error.code, 'transfer-conflict');
    assert.deepEqual(await done(store.totals()), before);
    await store.close();
  });

  test('the cap that counts is the largest that was seen', async (t) => {
    const store = await (await newBooks(t)).open();
    await store.openAccounts([investor('alice', 1_000)]);
    const settled = await settle(
      store,
      investment('a', { cap: 150 }),
      investment('b', { cap: 100, amount: 50 }),
      investment('c', { cap: 150, amount: 1 }),
      investment('d', { cap: 151, amount: 1 }),
    );
    assert.deepEqual(
      settled.map((each) => each.kind === 'outcome' && (each.outcome.reason ?? each.outcome.state)),
      ['settled', 'settled', 'cap-exceeded', 'settled'],
    );
    const [round] = (await done(store.totals())).rounds;
    assert.deepEqual([round?.settled, round?.escrow, round?.cap], [151, 151, 151]);
    assert.equal(round?.declined['cap-exceeded'], 1);
    await store.close();
  });

  test('outcomes are paged in the order of their settlement', async (t) => {
    const store = await (await newBooks(t)).open();
    await settle(store, ...['c', 'a', 'b'].map((id) => investment(id)));
    const first = await done(store.outcomes(0, 2));
    assert.deepEqual(
      [first.outcomes.map((outcome) => outcome.id), first.next, first.more],
      [['c', 'a'], 2, true],
    );
    const second = await done(store.outcomes(first.next, 2));
    assert.deepEqual(
      [second.outcomes.map((outcome) => outcome.id), second.next, second.more],
      [['b'], 3, false],
    );
    assert.deepEqual(await done(store.outcomes(3, 2)), { outcomes: [], next: 3, more: false });
    await store.close();
  });
}
