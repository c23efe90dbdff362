// The embedded registry of rounds against what every one keeps; it has nobody to outlive.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNewer, LocalRoundRegistry } from './round-registry.js';
import { roundRegistryContract, sharedRound } from './round-registry-contract.js';

roundRegistryContract('embedded', async () => {
  const registry = new LocalRoundRegistry();
  return { registry, epoch: 1, next: async () => ({ registry, epoch: 2 }) };
});

test('newer is first a matter of the epoch, then of the sequence', () => {
  assert.equal(isNewer(sharedRound(2, 1), sharedRound(1, 9)), true);
  assert.equal(isNewer(sharedRound(1, 9), sharedRound(2, 1)), false);
  assert.equal(isNewer(sharedRound(2, 3), sharedRound(2, 2)), true);
  assert.equal(isNewer(sharedRound(2, 2), sharedRound(2, 2)), false);
});
