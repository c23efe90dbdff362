// What a store throws, as the failure that its callers handle.

import type { StoreFailure } from './store.js';

/** Another ledger has claimed the books. */
export class FencedError extends Error {
  override readonly name = 'FencedError';

  constructor(claimed: number, own: number) {
    super(`fenced: another ledger has claimed the books (token ${claimed}, this one has ${own})`);
  }
}

/** What the program throws when it is wrong itself. */
const DEFECTS = ['AssertionError', 'TypeError', 'RangeError', 'ReferenceError'];

/** After it nothing is tried again: the process ends and starts anew. */
export const storeFailure = (error: unknown): StoreFailure => ({
  message: (error as Error).message,
  isFatal: true,
  isFenced: error instanceof FencedError,
  isDefect: DEFECTS.some((name) => (error as Error).name === name),
});
