// The LMDB books against what every store keeps about tokens and epochs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { investment, investor, newDirectory, openStore, settle } from './books-bench.js';
import { storeFenceContract } from './store-fence-contract.js';

storeFenceContract('lmdb', (t) => {
  const directory = newDirectory(t);
  return async () => openStore(directory);
});

test('books that were claimed once open without a claim as well: back on one machine', async (t) => {
  const directory = newDirectory(t);
  const claimed = openStore(directory);
  assert.ok((await claimed.claim(7)).ok);
  await claimed.openAccounts([investor('alice', 1_000)]);
  await settle(claimed, investment('a', { epoch: 5 }));
  await claimed.close();
  const store = openStore(directory);
  assert.equal((await settle(store, investment('b', { epoch: 1 })))[0]?.kind, 'outcome');
  assert.equal(await store.fencingToken(), 7);
  assert.deepEqual(await store.verify(), []);
  await store.close();
});
