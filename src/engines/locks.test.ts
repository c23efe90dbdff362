// The embedded locks against what every store of locks keeps; they are of one process.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalInvestorLocks } from './locks.js';
import { locked, locksContract } from './locks-contract.js';

locksContract('embedded', async () => new LocalInvestorLocks());

test('locks that are let go of twice do not take the next holder his', async () => {
  const locks = new LocalInvestorLocks();
  const first = await locked(locks, ['alice']);
  await first.release();
  const second = await locked(locks, ['alice']);
  await first.release();
  assert.equal((await locks.acquire(['alice'])).ok, false);
  await second.release();
});
