// The ledger's decision and the order of its reasons.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DecisionFacts, declineReason } from './decision.js';

const account = { currency: 'GBP', balance: 100, eligible: true };
const facts: DecisionFacts = {
  amount: 100,
  currency: 'GBP',
  account,
  escrowCurrency: 'GBP',
  settled: 900,
  cap: 1_000,
};

const table: readonly [name: string, change: Partial<DecisionFacts>, reason: string | null][] = [
  ['all is well, to the last penny of balance and cap', {}, null],
  ['the first settlement of a round', { escrowCurrency: null, settled: 0 }, null],
  ['no account', { account: null }, 'not-eligible'],
  ['not eligible', { account: { ...account, eligible: false } }, 'not-eligible'],
  ['not eligible before poor', { account: { currency: 'GBP', balance: 0, eligible: false } }, 'not-eligible'],
  ['an account in another currency', { account: { ...account, currency: 'EUR' } }, 'insufficient-funds'],
  ['an escrow in another currency', { escrowCurrency: 'EUR' }, 'insufficient-funds'],
  ['a penny short', { account: { ...account, balance: 99 } }, 'insufficient-funds'],
  ['poor before capped', { account: { ...account, balance: 99 }, cap: 900 }, 'insufficient-funds'],
  ['a penny over the cap', { cap: 999 }, 'cap-exceeded'],
  [
    'sums past the exact integers',
    {
      amount: Number.MAX_SAFE_INTEGER,
      settled: Number.MAX_SAFE_INTEGER,
      cap: Number.MAX_SAFE_INTEGER,
      account: { ...account, balance: Number.MAX_SAFE_INTEGER },
    },
    'cap-exceeded',
  ],
];

for (const [name, change, reason] of table) {
  test(`${name}: ${reason ?? 'settled'}`, () => {
    assert.equal(declineReason({ ...facts, ...change }), reason);
  });
}
