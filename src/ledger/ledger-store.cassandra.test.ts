// The books in Cassandra keep the contract of a ledger store.

import { after, before, describe } from 'node:test';
import { skipWithoutEngine } from '../../test/harness/engine-files.js';
import { type SharedCassandra, sharedCassandra } from '../../test/harness/shared-cassandra.js';
import { booksModelContract } from '../../test/model/books-contract.js';
import { emptyBooks, newKeyspace, shutdownClients } from './cassandra-bench.js';
import { assertLedgerStoreContract } from './ledger-store-contract.js';

const MODEL_RUNS = 8;

let server: SharedCassandra;
let keyspace: string;
describe('the books in Cassandra', { skip: skipWithoutEngine('cassandra') }, () => {
  before(async () => {
    server = await sharedCassandra();
    keyspace = await newKeyspace(server);
  });
  after(async () => {
    await shutdownClients();
    await server.release();
  });

  assertLedgerStoreContract(() => emptyBooks(server, keyspace));
  booksModelContract(() => emptyBooks(server, keyspace), MODEL_RUNS);
});
