// The embedded ownership against what every ownership keeps. That nobody else can have it is dir-lock.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalOwnershipStore } from './ownership.js';
import { ownershipContract } from './ownership-contract.js';

ownershipContract('embedded', async () => new LocalOwnershipStore());

test('its word does not end while the process lives, and its epoch counts on from the file', async () => {
  const acquired = await new LocalOwnershipStore().acquire('edge');
  assert.ok(acquired.ok);
  const { word, renewals } = acquired.value;
  assert.equal(word.leftNs(process.hrtime.bigint()), null);
  assert.deepEqual(renewals, { confirmed: 0, failed: 0 });
  await acquired.value.raiseAbove(0);
  assert.equal(acquired.value.epoch, 1, 'the first start of a node');
  await acquired.value.raiseAbove(6);
  assert.equal(acquired.value.epoch, 7);
});
