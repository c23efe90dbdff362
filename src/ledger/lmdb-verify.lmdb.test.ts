// The auditor of the books: what it finds in books that were tampered with, and in any run of commands nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { investment, investor, newDirectory, openStore, settle } from './books-bench.js';
import { BooksModel } from './books-model.js';
import { openLedgerDbs } from './lmdb-dbs.js';
import { openLmdbLedgerStore } from './lmdb-store.js';

test('books that do not add up are named by the check, and not opened again', async (t) => {
  const directory = newDirectory(t);
  const store = openStore(directory);
  await store.openAccounts([investor('alice', 100)]);
  await settle(store, investment('a', { amount: 10 }));
  await store.close();
  const dbs = openLedgerDbs(directory);
  await dbs.accounts.put('escrow:crowd', ['GBP', 11, 0, 1, 0]);
  await dbs.env.close();
  const opened = openLmdbLedgerStore(directory, Date.now);
  assert.ok(!opened.ok);
  assert.match(opened.error, /I6: the escrow of crowd has 11, but 10/);
});

test('the deep check reads every row', async (t) => {
  const directory = newDirectory(t);
  let store = openStore(directory);
  await store.openAccounts([investor('alice', 100), investor('bob', 100)]);
  await store.close();
  const dbs = openLedgerDbs(directory);
  await dbs.accounts.put('investor:alice', ['GBP', 90, 1, 1, 1]);
  await dbs.accounts.put('investor:bob', ['GBP', -1, 1, 1, 2]);
  await dbs.env.close();
  store = openStore(directory);
  const faults = (await store.verify()).map((fault) => `${fault.invariant} ${fault.detail}`);
  assert.ok(faults.some((fault) => fault.includes('I6 the entries of investor:alice sum to 100')));
  assert.ok(faults.some((fault) => fault.includes('I7 investor:bob has -1')));
  await store.close();
});

/** One step against the books. */
const small = fc.constantFrom('alice', 'bob', 'carol', 'dave');
const round = fc.constantFrom('crowd', 'other');
const currency = fc.constantFrom('GBP', 'GBP', 'GBP', 'EUR');
const anAccount = fc.oneof(
  small.map((name) => `investor:${name}`),
  round.map((name) => `escrow:${name}`),
  fc.constant('external'),
);
const id = fc.integer({ min: 0, max: 25 }).map((number) => `id-${number}`);
const anInvestment = fc
  .record({
    id,
    round,
    investor: small,
    amount: fc.integer({ min: 1, max: 120 }),
    currency,
    cap: fc.nat(400),
  })
  .map((fields) => investment(fields.id, fields));
const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(anInvestment, { minLength: 1, maxLength: 8 }).map((group) => ({ settle: group })),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.record({ investor: small, balance: fc.nat(300), currency, eligible: fc.boolean() }), {
        minLength: 1,
        maxLength: 3,
      })
      .map((lines) => ({ open: lines })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ id, from: anAccount, to: anAccount, amount: fc.integer({ min: 1, max: 150 }), currency })
      .filter((request) => request.from !== request.to)
      .map((request) => ({ transfer: request })),
  },
  { weight: 1, arbitrary: fc.constant({ restart: true as const }) },
);

test('any run of commands agrees with a plain model of the books', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
      const directory = newDirectory(t);
      let store = openStore(directory);
      const model = new BooksModel();
      for (const step of commands) {
        if ('settle' in step) {
          const settled = await settle(store, ...step.settle);
          const seen = settled.map((each) => (each.kind === 'outcome' ? each.outcome : 'conflict'));
          assert.deepEqual(
            seen.map((each) =>
              each === 'conflict' ? each : { verdict: each.reason ?? each.state, balance: each.balance },
            ),
            step.settle.map((message) => model.settle(message)),
          );
        } else if ('open' in step) {
          const opened = await store.openAccounts(step.open);
          assert.deepEqual(opened.ok ? opened.value.opened : opened.error.code, model.open(step.open));
        } else if ('transfer' in step) {
          const done = await store.transfer(step.transfer);
          assert.equal(done.ok ? 'done' : done.error.code, model.transfer(step.transfer));
        } else {
          await store.close();
          store = openStore(directory);
        }
      }
      assert.deepEqual(await store.verify(), []);
      const totals = await store.totals();
      assert.equal(totals.entriesSum, 0);
      for (const each of totals.rounds) {
        assert.equal(each.settled, model.settled.get(each.round) ?? 0);
        assert.equal(each.escrow, model.balance(`escrow:${each.round}`));
        assert.ok(each.settled <= each.cap);
      }
      for (const name of ['alice', 'bob', 'carol', 'dave']) {
        const account = await store.account(name, 1);
        assert.equal(account?.balance ?? 0, model.balance(`investor:${name}`));
        assert.ok((account?.balance ?? 0) >= 0);
      }
      await store.close();
    }),
    { numRuns: 60 },
  );
});
