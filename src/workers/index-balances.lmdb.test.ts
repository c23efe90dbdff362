// Balances from imports and from the bank's feed: in bulk, in any order, and never at the cost of anything else.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { journalStart } from '../core/journal-format.js';
import { IndexApplier } from './index-apply.js';
import { applyBalanceMessages, applyBalances } from './index-balances.js';
import { type IndexDb, openIndex } from './index-db.js';
import { IndexModel, testRound } from './index-test-model.js';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'openbell-balances-'));
after(() => fs.rmSync(base, { recursive: true, force: true }));

function openOrFail(name: string): IndexDb {
  const db = openIndex(path.join(base, name), { readOnly: false });
  assert.ok(db.ok, db.ok ? '' : db.error);
  return db.value;
}

const gbp = (investor: string, balance: number, eligible = true) => ({
  investor,
  balance,
  currency: 'GBP',
  eligible,
});

describe('index-balances', () => {
  test('an import changes balances and nothing else', async () => {
    const db = openOrFail('import');
    const model = new IndexModel();
    model.round(testRound(1));
    model.invest(1, 'a', 100);
    model.invest(1, 'a', 100);
    model.invest(1, 'b', 100);
    model.outcome(2, null, 900, 3);
    const start = journalStart('journal1');
    const end = { ...start, nextSequence: model.nextSequence };
    IndexApplier.initialise(db, 'journal1', start).apply(model.rows, end);
    assert.equal(applyBalances(db, [gbp('b', 7), gbp('a', 5), gbp('new', 1), gbp('b', 8, false)]), 3);
    // The version stays: what the ledger tells later still wins, what it told before still loses.
    model.balances.set('a', { balance: 5, currency: 'GBP', eligible: true, version: 3 });
    model.balances.set('b', { balance: 8, currency: 'GBP', eligible: false, version: 0 });
    model.balances.set('new', { balance: 1, currency: 'GBP', eligible: true, version: 0 });
    model.check(db);
    await db.close();
  });

  test('of balances with versions the highest wins, in whatever order they come', async () => {
    const db = openOrFail('versions');
    const told = (version: number, balance: number) => ({ ...gbp('a', balance), version });
    assert.deepEqual(applyBalanceMessages(db, [told(2, 20), told(3, 30), told(1, 10)]), ['a']);
    assert.deepEqual(applyBalanceMessages(db, [told(2, 21), told(3, 31)]), []);
    assert.equal(db.getInvestor('a')?.balance, 30);
    assert.deepEqual(applyBalanceMessages(db, [told(4, 40), { ...gbp('b', 1), version: 1 }]), ['a', 'b']);
    assert.equal(db.getInvestor('a')?.balanceVersion, 4);
    await db.close();
  });

  test('an older message still tells the currency, which outcomes can only guess and no account changes', async () => {
    const db = openOrFail('currency');
    const told = (version: number, balance: number, currency: string) => ({
      ...gbp('a', balance),
      version,
      currency,
    });
    applyBalanceMessages(db, [told(5, 50, 'GBP')]);
    assert.deepEqual(applyBalanceMessages(db, [told(3, 30, 'USD')]), ['a']);
    const { balance, balanceVersion, currency } = db.getInvestor('a') ?? {};
    assert.deepEqual(
      { balance, balanceVersion, currency },
      { balance: 50, balanceVersion: 5, currency: 'USD' },
    );
    assert.deepEqual(applyBalanceMessages(db, [told(3, 30, 'USD')]), []);
    await db.close();
  });

  test('many lines in any order are all there after a restart', async () => {
    const db = openOrFail('bulk');
    const count = 30_000;
    const perCall = 10_000;
    // 7919 and 30,000 have no common divisor: every investor once, scattered.
    const lines = Array.from({ length: count }, (_, i) =>
      gbp(`investor-${(i * 7919) % count}`, i + 1, i % 2 === 0),
    );
    for (let i = 0; i < count; i += perCall) applyBalances(db, lines.slice(i, i + perCall));
    await db.close();
    const again = openOrFail('bulk');
    for (const { investor, balance, eligible } of lines) {
      const record = again.getInvestor(investor);
      assert.equal(record?.balance, balance);
      assert.equal(record?.eligible, eligible);
    }
    assert.equal((again.investors.getStats() as { entryCount: number }).entryCount, count);
    await again.close();
  });
});
