// The embedded ownership against what every ownership keeps. That nobody else can have it is dir-lock.test.ts.

import { LocalOwnershipStore } from './ownership.js';
import { ownershipContract } from './ownership-contract.js';

ownershipContract('embedded', async () => new LocalOwnershipStore());
