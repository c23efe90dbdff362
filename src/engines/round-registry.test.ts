// The embedded registry of rounds against what every one keeps.

import { LocalRoundRegistry } from './round-registry.js';
import { roundRegistryContract } from './round-registry-contract.js';

roundRegistryContract('embedded', async () => {
  const registry = new LocalRoundRegistry();
  return { registry, epoch: 1, next: async () => ({ registry, epoch: 2 }) };
});
