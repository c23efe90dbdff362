// The row store that is configured: Cassandra's. Loaded only where it is used, for its driver is large, and a start is
// mostly the loading of modules.

import type { CassandraOptions } from './cassandra/options.js';
import type { RowStore } from './rows.js';

/** Connects with its first request. `cluster` keeps rows of several rounds of nodes in one keyspace apart. */
export async function openRowStore(options: CassandraOptions, cluster: string): Promise<RowStore> {
  const { CassandraRowStore } = await import('./cassandra/row-store.js');
  return new CassandraRowStore(options, cluster);
}
