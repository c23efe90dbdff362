// The embedded locks against what every store of locks keeps.

import { LocalInvestorLocks } from './locks.js';
import { locksContract } from './locks-contract.js';

locksContract('embedded', async () => new LocalInvestorLocks());
