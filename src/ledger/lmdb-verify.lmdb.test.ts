// The auditor of the books: what it finds in books that were tampered with.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { done, investment, investor, newDirectory, openStore, settle } from './books-bench.js';
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
  const faults = (await done(store.verify())).map((fault) => `${fault.invariant} ${fault.detail}`);
  assert.ok(faults.some((fault) => fault.includes('I6 the entries of investor:alice sum to 100')));
  assert.ok(faults.some((fault) => fault.includes('I7 investor:bob has -1')));
  await store.close();
});
