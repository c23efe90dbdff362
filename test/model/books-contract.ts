// Random commands against the books of any store and against a plain model of them: both say the same at every step.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Books, done, investment, settle } from '../../src/ledger/books-bench.js';
import { BooksModel } from '../../src/ledger/books-model.js';
import type { LedgerStore } from '../../src/ledger/store.js';

const NAMES = ['alice', 'bob', 'carol', 'dave'];

/** One step against the books. */
const small = fc.constantFrom(...NAMES);
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

/** Registers the test: `runs` times, each on new books. */
export function booksModelContract(newBooks: (t: TestContext) => Promise<Books>, runs: number): void {
  test('any run of commands agrees with a plain model of the books', async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const books = await newBooks(t);
        let store = await books.open();
        const model = new BooksModel();
        for (const step of commands) {
          if ('settle' in step) {
            const settled = await settle(store, ...step.settle);
            assert.deepEqual(
              settled.map((each) =>
                each.kind === 'outcome'
                  ? { verdict: each.outcome.reason ?? each.outcome.state, balance: each.outcome.balance }
                  : each.kind,
              ),
              step.settle.map((message) => model.settle(message)),
            );
          } else if ('open' in step) {
            const opened = await store.openAccounts(step.open);
            assert.deepEqual(opened.ok ? opened.value.opened : opened.error.code, model.open(step.open));
          } else if ('transfer' in step) {
            const made = await store.transfer(step.transfer);
            assert.equal(made.ok ? 'done' : made.error.code, model.transfer(step.transfer));
          } else {
            await store.close();
            store = await books.open();
          }
        }
        await compare(store, model);
        await store.close();
      }),
      { numRuns: runs },
    );
  });
}

async function compare(store: LedgerStore, model: BooksModel): Promise<void> {
  assert.deepEqual(await done(store.verify()), []);
  const totals = await done(store.totals());
  assert.equal(totals.entriesSum, 0);
  for (const each of totals.rounds) {
    assert.equal(each.settled, model.settled.get(each.round) ?? 0);
    assert.equal(each.escrow, model.balance(`escrow:${each.round}`));
    assert.ok(each.settled <= each.cap);
  }
  for (const name of NAMES) {
    const account = await done(store.account(name, 1));
    assert.equal(account?.balance ?? 0, model.balance(`investor:${name}`));
    assert.ok((account?.balance ?? 0) >= 0);
  }
}
