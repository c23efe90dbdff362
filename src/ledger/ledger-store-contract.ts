// The contract of a store of the ledger's books: one suite, run against every store that there is.

import type { TestContext } from 'node:test';
import { accountsContract } from './accounts-contract.js';
import type { Books } from './books-bench.js';
import { settleContract } from './settle-contract.js';
import { storeFenceContract } from './store-fence-contract.js';

/** Registers every test, on books that `newBooks` makes for each. */
export function assertLedgerStoreContract(newBooks: (t: TestContext) => Promise<Books>): void {
  accountsContract(newBooks);
  settleContract(newBooks);
  storeFenceContract(newBooks);
}
