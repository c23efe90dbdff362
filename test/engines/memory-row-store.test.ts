// The row store that other tests stand on keeps the contract of the real one.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryRowStore, MemoryRows } from './memory-row-store.js';
import { rowsContract } from './rows-contract.js';

describe('the row store in memory', () => {
  const clusters = new Map<string, MemoryRows>();
  rowsContract((cluster) => {
    const data = clusters.get(cluster) ?? new MemoryRows();
    clusters.set(cluster, data);
    return new MemoryRowStore(data);
  });

  test('fails as it is told to', async () => {
    const store = new MemoryRowStore();
    store.failure = { code: 'unavailable', message: 'away' };
    for (const answer of [await store.epochs(), await store.write([]), await store.controlRows()])
      assert.deepEqual(answer, { ok: false, error: store.failure });
  });
});
