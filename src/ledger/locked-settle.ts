// Settles a group under the locks of its investors, and only while this process owns the books. The store checks the
// fencing token itself; what is here keeps a ledger that has lost its lease from even trying.

import { err } from '../core/result.js';
import type { InvestorLocks, LockFailure } from '../engines/locks.js';
import type { LedgerStore, StoreFailure } from './store.js';

export interface LockedSettleModules {
  readonly store: Pick<LedgerStore, 'settle'>;
  readonly locks: InvestorLocks;
  /** False when this process may not act as the owner of the books. */
  readonly owns: () => boolean;
}

/** `settle` as the processor sees it. */
export function lockedSettle(modules: LockedSettleModules): Pick<LedgerStore, 'settle'> {
  const { store, locks, owns } = modules;
  return {
    settle: async (group) => {
      if (!owns()) return err(fenced('the lease has run out'));
      const locked = await locks.acquire(group.map(({ investor }) => investor));
      if (!locked.ok) return err(failureOf(locked.error));
      try {
        // The locks may have been long in coming.
        return owns() ? await store.settle(group) : err(fenced('the lease has run out'));
      } finally {
        await locked.value.release();
      }
    },
  };
}

const fenced = (why: string): StoreFailure => ({ message: `fenced: ${why}`, isFatal: true, isFenced: true });

function failureOf(failure: LockFailure): StoreFailure {
  if (failure.code === 'lost') return fenced(failure.message);
  const message =
    failure.code === 'held'
      ? `${failure.investors.length} investors are locked by another process`
      : `the locks cannot be had: ${failure.message}`;
  return { message, isFatal: false, isFenced: false };
}
