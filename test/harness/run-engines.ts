// What test/run.mjs starts once for all test files of a run.

import { skipWithoutEngine } from './engine-files.js';
import { SHARED_CASSANDRA, startSharedCassandra } from './shared-cassandra.js';

/** Starts the Cassandra of the run if it can be, and is not there already. Resolves to what ends it. */
export async function startForCassandraTests(): Promise<() => Promise<void>> {
  const isThere = process.env[SHARED_CASSANDRA] !== undefined || skipWithoutEngine('cassandra') !== false;
  return isThere ? async () => undefined : startSharedCassandra();
}
