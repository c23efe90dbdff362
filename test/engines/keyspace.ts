// For tests only: how to reach the Cassandra that a test has started, and a keyspace of its own there.

import { migrate } from '../../src/engines/cassandra/migrate.js';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';

/** Options without TLS and credentials. */
export function testOptions(contactPoint: string, keyspace: string): CassandraOptions {
  return { contactPoints: [contactPoint], datacenter: 'datacenter1', keyspace, tls: null, credentials: null };
}

/** Creates the keyspace, with one replica, and its tables. */
export async function migrated(cassandra: CassandraOptions): Promise<CassandraOptions> {
  const result = await migrate({ cassandra, replication: { datacenter1: 1 }, dryRun: false, by: 'a test' });
  if (!result.ok) throw new Error(result.error.message);
  return cassandra;
}
