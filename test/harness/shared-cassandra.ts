// One Cassandra for all test files of a run, each with keyspaces of its own. test/run.mjs starts it before the first
// `.cassandra.test` file and tells its address in the environment; a file that is run by itself starts its own.

import { randomBytes } from 'node:crypto';
import { type Cassandra, startCassandra } from './cassandra.js';
import { type CqlEndpoint, cql } from './cql.js';

/** Names `host:port` of a server that runs already: the runner's, or one that somebody keeps for a day of work. */
export const SHARED_CASSANDRA = 'OPENBELL_TEST_CASSANDRA';

export interface SharedCassandra {
  readonly host: string;
  readonly port: number;
  readonly contactPoint: string;
  readonly localDataCenter: string;
  /** For `cql` of the harness. */
  readonly endpoint: CqlEndpoint;
  /** Creates an empty keyspace, with one replica, that no other test knows; resolves to its name. */
  createKeyspace(): Promise<string>;
  /** A name for a keyspace that the test creates itself; dropped by `release` like the others. */
  keyspaceName(): string;
  /** Drops the keyspaces. Call it when the file's tests are done. */
  release(): Promise<void>;
}

/** The run's Cassandra, or one of our own. It must not be stopped, killed or paused: start another for that. */
export async function sharedCassandra(): Promise<SharedCassandra> {
  const given = process.env[SHARED_CASSANDRA];
  const own = given === undefined ? await startCassandra() : undefined;
  const contactPoint = given ?? (own as Cassandra).contactPoint;
  const [host = '', port = ''] = contactPoint.split(':');
  const endpoint = { host, port: Number.parseInt(port, 10) };
  const keyspaces: string[] = [];
  const keyspaceName = (): string => {
    const name = `test_${randomBytes(8).toString('hex')}`;
    keyspaces.push(name);
    return name;
  };
  return {
    ...endpoint,
    contactPoint,
    localDataCenter: 'datacenter1',
    endpoint,
    keyspaceName,
    async createKeyspace() {
      const name = keyspaceName();
      await cql(endpoint, [
        `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
      ]);
      return name;
    },
    async release() {
      if (own) await own.remove();
      else
        await cql(
          endpoint,
          keyspaces.splice(0).map((name) => `DROP KEYSPACE IF EXISTS ${name}`),
        );
    },
  };
}

/** Starts the run's Cassandra and tells the test files of it, by the environment. Resolves to what ends it. */
export async function startSharedCassandra(): Promise<() => Promise<void>> {
  const cassandra = await startCassandra();
  process.env[SHARED_CASSANDRA] = cassandra.contactPoint;
  return () => cassandra.remove();
}
