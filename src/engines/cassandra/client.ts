// Clients of Cassandra, each for one kind of work, because what the driver may repeat by itself differs:
//
//   rows      what is idempotent: prepared, repeated after a timeout or a lost connection, LOCAL_QUORUM
//   decisions lightweight transactions: never repeated by the driver, for whether the first one was applied is the question
//   schema    changes of tables: a long timeout, nothing repeated
//   cluster   the same, and outside any keyspace
//
// A client connects with its first request and again whenever it has to; a host that is down is tried for ever. End it with `endClient`. 64-bit
// columns are read by `column.ts`: a number of ours, never the driver's own kind of integer.

import { Client, policies, types } from 'cassandra-driver';
import {
  CASSANDRA_CONNECT_TIMEOUT_MS,
  CASSANDRA_HEARTBEAT_MS,
  CASSANDRA_PAGE_ROWS,
  CASSANDRA_READ_TIMEOUT_MS,
  CASSANDRA_RECONNECT_MAX_MS,
  CASSANDRA_RECONNECT_MIN_MS,
  CASSANDRA_REQUESTS_PER_CONNECTION,
  CASSANDRA_SCHEMA_TIMEOUT_MS,
} from '../../core/limits.js';
import type { CassandraOptions } from './options.js';

const CLIENT_KINDS = {
  rows: { isIdempotent: true, readTimeoutMs: CASSANDRA_READ_TIMEOUT_MS, inKeyspace: true },
  decisions: { isIdempotent: false, readTimeoutMs: CASSANDRA_READ_TIMEOUT_MS, inKeyspace: true },
  schema: { isIdempotent: false, readTimeoutMs: CASSANDRA_SCHEMA_TIMEOUT_MS, inKeyspace: true },
  cluster: { isIdempotent: false, readTimeoutMs: CASSANDRA_SCHEMA_TIMEOUT_MS, inKeyspace: false },
} as const;

/** Makes a client; it connects with its first request. */
export function cassandraClient(options: CassandraOptions, kind: keyof typeof CLIENT_KINDS): Client {
  const { contactPoints, datacenter, keyspace, tls, credentials } = options;
  const { isIdempotent, readTimeoutMs, inKeyspace } = CLIENT_KINDS[kind];
  const client = new Client({
    contactPoints: [...contactPoints],
    localDataCenter: datacenter,
    ...(inKeyspace ? { keyspace } : {}),
    ...(credentials === null ? {} : { credentials: { ...credentials } }),
    // Without a name to check the certificate of whoever answers at that address would do.
    ...(tls === null ? {} : { sslOptions: { ...tls, rejectUnauthorized: true } }),
    // Hosts that the cluster tells of are expected at the port of the first one.
    protocolOptions: { port: portOf(contactPoints[0] ?? '') },
    policies: {
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(
        CASSANDRA_RECONNECT_MIN_MS,
        CASSANDRA_RECONNECT_MAX_MS,
        false,
      ),
    },
    pooling: {
      coreConnectionsPerHost: { [types.distance.local]: 1, [types.distance.remote]: 0 },
      maxRequestsPerConnection: CASSANDRA_REQUESTS_PER_CONNECTION,
      heartBeatInterval: CASSANDRA_HEARTBEAT_MS,
    },
    socketOptions: { connectTimeout: CASSANDRA_CONNECT_TIMEOUT_MS, readTimeout: readTimeoutMs },
    queryOptions: {
      isIdempotent,
      consistency: types.consistencies.localQuorum,
      serialConsistency: types.consistencies.localSerial,
      fetchSize: CASSANDRA_PAGE_ROWS,
    },
    encoding: { useBigIntAsLong: false },
    monitorReporting: { enabled: false },
  });
  // A host that comes back is often learned of anew; the driver drops the old one, which would go on reconnecting.
  client.on('hostRemove', (host: HostInside) => void host.shutdown(false));
  return client;
}

/** The part of a host that its type leaves out. */
interface HostInside {
  shutdown(waitForPending: boolean): Promise<void>;
}

/** The parts of a client that its types leave out. */
interface ClientInside {
  readonly connected: boolean;
  readonly connecting: boolean;
  readonly controlConnection: { readonly connection: { close(): void } | null };
}

/**
 * Closes the connection that a failed attempt to connect has left open: over which the driver could not learn what it
 * needs (of another data centre, say). Without it each further attempt would leave one more. Call it after a failure.
 */
export function closeLeftOver(client: Client): void {
  const { connected, connecting, controlConnection } = insideOf(client);
  if (!connected && !connecting) controlConnection.connection?.close();
}

/**
 * Ends a client and everything that it has opened: also the connection over which it learns of the cluster, which it
 * forgets when that was opened while a host came back.
 */
export async function endClient(client: Client): Promise<void> {
  await client.shutdown();
  insideOf(client).controlConnection.connection?.close();
}

function insideOf(client: Client): ClientInside {
  return client as unknown as ClientInside;
}

function portOf(contactPoint: string): number {
  return Number.parseInt(contactPoint.slice(contactPoint.lastIndexOf(':') + 1), 10);
}
