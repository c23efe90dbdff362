// What a connection to Cassandra needs, from the configuration. Certificates are read here, so that a path that leads
// nowhere is said at once and by name. Plain data: it crosses threads.

import { readFileSync } from 'node:fs';
import type { Config } from '../../core/config.js';
import { err, ok, type Result } from '../../core/result.js';

export interface CassandraOptions {
  /** `host:port` each. */
  readonly contactPoints: readonly string[];
  readonly datacenter: string;
  readonly keyspace: string;
  /** PEM texts; null: no TLS. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  readonly credentials: { readonly username: string; readonly password: string } | null;
}

type CassandraConfig = Pick<
  Config,
  | 'cassandra'
  | 'cassandraDatacenter'
  | 'cassandraKeyspace'
  | 'cassandraTlsCa'
  | 'cassandraTlsCert'
  | 'cassandraTlsKey'
  | 'cassandraUsername'
  | 'cassandraPassword'
>;

/** The error names the file that cannot be read and the setting that names it. */
export function cassandraOptions(config: CassandraConfig): Result<CassandraOptions, string> {
  const { cassandraUsername: username, cassandraPassword: password } = config;
  const tls: { ca?: string; cert?: string; key?: string } = {};
  const files = [
    ['ca', config.cassandraTlsCa, 'OPENBELL_CASSANDRA_TLS_CA'],
    ['cert', config.cassandraTlsCert, 'OPENBELL_CASSANDRA_TLS_CERT'],
    ['key', config.cassandraTlsKey, 'OPENBELL_CASSANDRA_TLS_KEY'],
  ] as const;
  for (const [part, file, variable] of files) {
    if (file === undefined) continue;
    try {
      tls[part] = readFileSync(file, 'utf8');
    } catch (error) {
      return err(`${variable} cannot be read: ${(error as Error).message}`);
    }
  }
  return ok({
    contactPoints: config.cassandra,
    datacenter: config.cassandraDatacenter,
    keyspace: config.cassandraKeyspace,
    tls: Object.keys(tls).length === 0 ? null : tls,
    credentials: username === undefined || password === undefined ? null : { username, password },
  });
}
