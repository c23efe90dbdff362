// A real Cassandra for tests: one node with free ports and data of its own. It takes 5-12 s to start and about 1 GB:
// a test that does not kill it shares one (shared-cassandra.ts).

import { join } from 'node:path';
import type { EngineTls } from './certificates.js';
import { type CqlEndpoint, cql } from './cql.js';
import { CASSANDRA_LIB, CASSANDRA_RUN } from './engine-files.js';
import { type Engine, startEngine } from './engine-process.js';
import { freePorts } from './ports.js';

const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 10_000;
const HOST = '127.0.0.1';
/** The first user that PasswordAuthenticator knows. */
const FIRST_USER = { user: 'cassandra', password: 'cassandra' };

export interface CassandraOptions {
  /** Heap, as in -Xmx; 512m when absent. */
  readonly heap?: string;
  /** True: PasswordAuthenticator and CassandraAuthorizer; the first user is `cassandra`, password `cassandra`. */
  readonly passwords?: boolean;
  /** TLS for clients, and only TLS. */
  readonly tls?: EngineTls;
  /** More arguments of the JVM, such as `-Dcassandra.settings.write_request_timeout=500ms`. */
  readonly jvmArgs?: readonly string[];
}

export interface Cassandra extends Engine {
  readonly host: string;
  readonly port: number;
  /** `host:port` of the native protocol, as a driver takes it. */
  readonly contactPoint: string;
  readonly localDataCenter: string;
  readonly jmxPort: number;
  /** For `cql` of the harness. */
  readonly endpoint: CqlEndpoint;
}

/** Starts a Cassandra and waits until it answers a query. */
export async function startCassandra(options: CassandraOptions = {}): Promise<Cassandra> {
  const [port, storagePort, jmxPort] = (await freePorts(3)) as [number, number, number];
  const { tls } = options;
  const endpoint: CqlEndpoint = {
    host: HOST,
    port,
    ...(tls ? { certificates: tls.certificates } : {}),
    ...(options.passwords ? { credentials: FIRST_USER } : {}),
  };
  const engine = await startEngine({
    name: 'cassandra',
    command: (directory) => [CASSANDRA_RUN, CASSANDRA_LIB, join(directory, 'data')],
    env: {
      CASSANDRA_HOST: HOST,
      CASSANDRA_PORT: `${port}`,
      CASSANDRA_STORAGE_PORT: `${storagePort}`,
      CASSANDRA_JMX_PORT: `${jmxPort}`,
      CASSANDRA_HEAP: options.heap ?? '512m',
      CASSANDRA_AUTH: options.passwords ? 'password' : 'none',
      CASSANDRA_TLS_DIR: tls?.certificates.directory ?? '',
      CASSANDRA_TLS_CLIENT: tls?.clientCertificate ? '1' : '0',
      CASSANDRA_JVM_ARGS: (options.jvmArgs ?? []).join(' '),
    },
    ask: async () => {
      await cql(endpoint, ['SELECT release_version FROM system.local'], ASK_TIMEOUT_MS);
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  return Object.assign(engine, {
    host: HOST,
    port,
    contactPoint: `${HOST}:${port}`,
    localDataCenter: 'datacenter1',
    jmxPort,
    endpoint,
  });
}
