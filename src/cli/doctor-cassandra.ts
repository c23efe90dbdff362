// What `openbell doctor` checks of Cassandra: reachable with what is configured, its version and data centre, the
// keyspace, how many copies it keeps, and the schema.

import type { Client } from 'cassandra-driver';
import type { Config } from '../core/config.js';
import { cassandraClient, endClient } from '../engines/cassandra/client.js';
import { integerOf, textOf } from '../engines/cassandra/column.js';
import { rowsFailure } from '../engines/cassandra/failure.js';
import { type CassandraOptions, cassandraOptions } from '../engines/cassandra/options.js';
import { SCHEMA_VERSION } from '../engines/cassandra/schema.js';
import { bad, doubtful, type Finding, good } from './doctor-finding.js';

/** Older ones lack what the schema and the driver's protocol rest on. */
const MAJOR_MIN = 4;
const MAJOR_TRIED = 5;
/** With fewer copies the loss of one host is the loss of a quorum. */
const COPIES_WANTED = 3;
const CLOCK_TOLERANCE_MS = 1_000;

/** Nothing where Cassandra is not configured. */
export async function cassandraFindings(config: Config): Promise<Finding[]> {
  if (config.cassandra.length === 0) return [];
  const options = cassandraOptions(config);
  if (!options.ok) return [bad('cassandra', options.error, 'mend the path, or the rights on the file')];
  const client = cassandraClient(options.value, 'cluster');
  try {
    return await connected(client, options.value, config);
  } catch (error) {
    const { code, message } = rowsFailure(error);
    const fix =
      code === 'refused'
        ? 'see OPENBELL_CASSANDRA_USERNAME and _PASSWORD, and what the role may do'
        : 'start it, or see OPENBELL_CASSANDRA, _DATACENTER and _TLS_*';
    return [bad('cassandra', `${config.cassandra.join(', ')}: ${message}`, fix)];
  } finally {
    await endClient(client);
  }
}

async function connected(client: Client, options: CassandraOptions, config: Config): Promise<Finding[]> {
  const local = (
    await client.execute(
      'SELECT release_version, data_center, toUnixTimestamp(now()) AS clock FROM system.local',
    )
  ).first();
  const version = textOf(local, 'release_version');
  const datacenter = textOf(local, 'data_center');
  const clockMs = integerOf(local, 'clock');
  return [
    versionFinding(version, datacenter),
    clockFinding(clockMs - Date.now()),
    ...(await keyspaceFindings(client, options, config)),
  ];
}

function versionFinding(version: string, datacenter: string): Finding {
  const major = Number.parseInt(version, 10);
  const detail = `version ${version}, data centre ${datacenter}`;
  if (major < MAJOR_MIN) return bad('cassandra', detail, `use ${MAJOR_MIN}.0 or newer`);
  if (major > MAJOR_TRIED)
    return doubtful('cassandra', detail, `versions up to ${MAJOR_TRIED} have been tried`);
  return good('cassandra', detail);
}

/** The newest write wins by the writer's clock, and a repair writes over what is wrong. */
function clockFinding(skewMs: number): Finding {
  const detail = `${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} this host`;
  if (Math.abs(skewMs) <= CLOCK_TOLERANCE_MS) return good('cassandra clock', detail);
  return doubtful('cassandra clock', detail, 'run chrony or ntpd on both');
}

async function keyspaceFindings(
  client: Client,
  options: CassandraOptions,
  config: Config,
): Promise<Finding[]> {
  const { keyspace } = options;
  const found = (
    await client.execute(
      'SELECT replication, durable_writes FROM system_schema.keyspaces WHERE keyspace_name = ?',
      [keyspace],
      { prepare: true },
    )
  ).first();
  if (found === null) {
    const fix = `openbell migrate --replication ${COPIES_WANTED}`;
    return [bad('keyspace', `there is no keyspace ${keyspace}`, fix)];
  }
  const replication = found['replication'] as Readonly<Record<string, string>>;
  return [
    replicationFinding(keyspace, replication, config),
    durableFinding(keyspace, found['durable_writes'] === true),
    await schemaFinding(client, keyspace),
  ];
}

function replicationFinding(
  keyspace: string,
  replication: Readonly<Record<string, string>>,
  config: Config,
): Finding {
  const { cassandraDatacenter: datacenter } = config;
  const isSimple = (replication['class'] ?? '').endsWith('SimpleStrategy');
  const copies = Number.parseInt(replication[isSimple ? 'replication_factor' : datacenter] ?? '0', 10);
  const detail = `${keyspace} keeps ${copies} copies in ${datacenter}`;
  const fix = `ALTER KEYSPACE ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', '${datacenter}': ${COPIES_WANTED}}, then "nodetool repair"`;
  if (copies === 0) return bad('replication', detail, fix);
  if (copies < COPIES_WANTED) {
    const loss = `${detail}: the loss of one host may be the loss of rows`;
    return config.ack === 'replicated' ? bad('replication', loss, fix) : doubtful('replication', loss, fix);
  }
  if (isSimple)
    return doubtful('replication', `${detail}, by SimpleStrategy, which knows no data centres`, fix);
  return good('replication', detail);
}

function durableFinding(keyspace: string, isDurable: boolean): Finding {
  if (isDurable) return good('durable writes', `${keyspace} writes to the commit log`);
  const fix = `ALTER KEYSPACE ${keyspace} WITH durable_writes = true`;
  return bad('durable writes', `${keyspace} does not write to the commit log`, fix);
}

async function schemaFinding(client: Client, keyspace: string): Promise<Finding> {
  const tables = await client.execute(
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_migrations'",
    [keyspace],
    { prepare: true },
  );
  let version = 0;
  if (tables.rowLength > 0) {
    const { rows } = await client.execute(`SELECT version FROM ${keyspace}.schema_migrations`);
    version = Math.max(0, ...rows.map((row) => integerOf(row, 'version')));
  }
  const detail = `version ${version}, this program works with ${SCHEMA_VERSION}`;
  if (version === SCHEMA_VERSION) return good('schema', detail);
  return bad('schema', detail, version < SCHEMA_VERSION ? 'openbell migrate' : 'use a newer openbell');
}
