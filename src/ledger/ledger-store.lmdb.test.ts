// The books in LMDB keep the contract of a ledger store.

import { booksModelContract } from '../../test/model/books-contract.js';
import { lmdbBooks } from './books-bench.js';
import { assertLedgerStoreContract } from './ledger-store-contract.js';

const MODEL_RUNS = 60;

assertLedgerStoreContract(async (t) => lmdbBooks(t));
booksModelContract(async (t) => lmdbBooks(t), MODEL_RUNS);
