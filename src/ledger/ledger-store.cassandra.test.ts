// The books in Cassandra keep the contract of a ledger store.

import { after, before } from 'node:test';
import { type SharedCassandra, sharedCassandra } from '../../test/harness/shared-cassandra.js';
import { booksModelContract } from '../../test/model/books-contract.js';
import { cassandraBooks } from './cassandra-bench.js';
import { assertLedgerStoreContract } from './ledger-store-contract.js';

const MODEL_RUNS = 8;

let server: SharedCassandra;
before(async () => {
  server = await sharedCassandra();
});
after(() => server.release());

assertLedgerStoreContract((t) => cassandraBooks(t, server));
booksModelContract((t) => cassandraBooks(t, server), MODEL_RUNS);
