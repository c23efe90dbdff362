// Brings a keyspace to the schema of this program: `openbell migrate`.
//
// Two at once: a lock in the keyspace itself, taken, renewed and let go by lightweight transactions under a name of its
// own; the name dies with its TTL. Every statement may be run again, so a run that is killed anywhere is simply
// repeated. A migration that was changed after it had been applied, or a schema newer than this program, is refused:
// nobody knows what the tables are then.

import { randomBytes } from 'node:crypto';
import type { Client, types } from 'cassandra-driver';
import { MIGRATE_LOCK_S } from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import { cassandraClient, endClient } from './client.js';
import { integerOf, textOf } from './column.js';
import { rowsFailure } from './failure.js';
import type { CassandraOptions } from './options.js';
import { BOOKKEEPING, MIGRATIONS, type Migration, migrationChecksum } from './schema.js';

export interface MigrateOptions {
  readonly cassandra: CassandraOptions;
  /** Copies of each row in each data centre, by its name; for a keyspace that has to be created. Null: it must exist. */
  readonly replication: Readonly<Record<string, number>> | null;
  /** Only says what would be done. */
  readonly dryRun: boolean;
  /** Who runs it, for the record: user, host, process. */
  readonly by: string;
  readonly migrations?: readonly Migration[];
}

export interface MigrateReport {
  readonly keyspace: string;
  readonly keyspaceCreated: boolean;
  /** 0: there was none. */
  readonly versionBefore: number;
  readonly version: number;
  /** Names of what was applied, or in a dry run would be, in order. */
  readonly applied: readonly string[];
  readonly dryRun: boolean;
}

export interface MigrateFailure {
  /**
   * `unreachable`: try again when Cassandra answers. `busy`: another one is running. `missing-keyspace`: and no
   * replication was given to create it with. `mismatch`: the schema there is not one that this program can go on from.
   */
  readonly code: 'unreachable' | 'busy' | 'missing-keyspace' | 'mismatch' | 'refused';
  readonly message: string;
}

/** Nodes of the cluster that know different tables: nothing may be built on that. */
class NoAgreement extends Error {
  override readonly name = 'NoAgreement';
}

/** Applies what is missing; idempotent. */
export async function migrate(options: MigrateOptions): Promise<Result<MigrateReport, MigrateFailure>> {
  const { cassandra, replication, dryRun } = options;
  try {
    const found = await withClient(cassandra, 'cluster', (client) =>
      findKeyspace(client, cassandra.keyspace),
    );
    if (!found.exists && replication === null) {
      const message = `there is no keyspace ${cassandra.keyspace}: create it, or say with --replication how many copies of each row to keep`;
      return err({ code: 'missing-keyspace', message });
    }
    if (!found.exists && !dryRun) {
      await withClient(cassandra, 'cluster', (client) =>
        client.execute(createKeyspace(cassandra.keyspace, replication ?? {})),
      );
    }
    if (dryRun && !found.exists) return ok(reportOf(options, true, 0, options.migrations ?? MIGRATIONS));
    return await withClient(cassandra, 'schema', (client) => new Migrator(client, options, found).run());
  } catch (error) {
    if (error instanceof NoAgreement) return err({ code: 'unreachable', message: error.message });
    const { code, message } = rowsFailure(error);
    return err({ code: code === 'refused' ? 'refused' : 'unreachable', message });
  }
}

async function withClient<T>(
  options: CassandraOptions,
  kind: 'cluster' | 'schema',
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = cassandraClient(options, kind);
  try {
    return await work(client);
  } finally {
    await endClient(client);
  }
}

interface FoundKeyspace {
  readonly exists: boolean;
  /** `migrate` has been here before. */
  readonly hasBookkeeping: boolean;
}

async function findKeyspace(client: Client, keyspace: string): Promise<FoundKeyspace> {
  const find = async (statement: string): Promise<boolean> =>
    (await client.execute(statement, [keyspace], { prepare: true })).rowLength > 0;
  return {
    exists: await find('SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?'),
    hasBookkeeping: await find(
      "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_migrations'",
    ),
  };
}

/** The name is one that the configuration takes: a-z, 0-9 and underscores. */
function createKeyspace(keyspace: string, replication: Readonly<Record<string, number>>): string {
  const copies = Object.entries(replication).map(
    ([datacenter, count]) => `, '${datacenter.replaceAll("'", "''")}': ${count}`,
  );
  const strategy = `{'class': 'NetworkTopologyStrategy'${copies.join('')}}`;
  return `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ${strategy}`;
}

function reportOf(
  { cassandra, dryRun }: MigrateOptions,
  keyspaceCreated: boolean,
  versionBefore: number,
  applied: readonly Migration[],
): MigrateReport {
  return {
    keyspace: cassandra.keyspace,
    keyspaceCreated,
    versionBefore,
    version: applied.at(-1)?.version ?? versionBefore,
    applied: applied.map(({ version, name }) => `${version}: ${name}`),
    dryRun,
  };
}

class Migrator {
  readonly #client: Client;
  readonly #options: MigrateOptions;
  readonly #found: FoundKeyspace;
  readonly #migrations: readonly Migration[];
  readonly #holder = randomBytes(8).toString('hex');

  constructor(client: Client, options: MigrateOptions, found: FoundKeyspace) {
    this.#client = client;
    this.#options = options;
    this.#found = found;
    this.#migrations = options.migrations ?? MIGRATIONS;
  }

  async run(): Promise<Result<MigrateReport, MigrateFailure>> {
    if (this.#options.dryRun) {
      const before = this.#found.hasBookkeeping ? await this.#readVersion() : ok(0);
      return before.ok ? ok(this.#report(before.value)) : before;
    }
    for (const statement of BOOKKEEPING) await this.#define(statement);
    const held = await this.#lock();
    if (!held.ok) return held;
    try {
      return await this.#apply();
    } finally {
      await this.#ask('DELETE FROM schema_state WHERE part = ? IF holder = ?', ['lock', this.#holder]);
    }
  }

  async #apply(): Promise<Result<MigrateReport, MigrateFailure>> {
    const before = await this.#readVersion();
    if (!before.ok) return before;
    for (const migration of this.#missing(before.value)) {
      for (const statement of migration.statements) {
        if (!(await this.#renewLock()))
          return err({ code: 'busy', message: 'the lock has passed to another migrate: run it again' });
        await this.#define(statement);
      }
      await this.#record(migration);
    }
    await this.#ask('INSERT INTO schema_state (part, value) VALUES (?, ?) IF NOT EXISTS', [
      'identity',
      randomBytes(12).toString('hex'),
    ]);
    return ok(this.#report(before.value));
  }

  #missing(before: number): readonly Migration[] {
    return this.#migrations.filter(({ version }) => version > before);
  }

  #report(before: number): MigrateReport {
    return reportOf(this.#options, !this.#found.exists, before, this.#missing(before));
  }

  /** The newest version on record, whose migrations are those of this program. */
  async #readVersion(): Promise<Result<number, MigrateFailure>> {
    const { rows } = await this.#ask('SELECT version, name, checksum FROM schema_migrations', []);
    const known = new Map(this.#migrations.map((migration) => [migration.version, migration]));
    let newest = 0;
    for (const row of rows) {
      const version = integerOf(row, 'version');
      const migration = known.get(version);
      if (migration === undefined) {
        const message = `the schema of keyspace ${this.#options.cassandra.keyspace} has version ${version}, this program knows ${this.#migrations.length}: use a newer one`;
        return err({ code: 'mismatch', message });
      }
      if (textOf(row, 'checksum') !== migrationChecksum(migration)) {
        const message = `migration ${version} (${migration.name}) was applied in another form to keyspace ${this.#options.cassandra.keyspace}`;
        return err({ code: 'mismatch', message });
      }
      newest = Math.max(newest, version);
    }
    return ok(newest);
  }

  async #record(migration: Migration): Promise<void> {
    const { version, name } = migration;
    await this.#ask(
      'INSERT INTO schema_migrations (version, name, checksum, applied_at, applied_by) VALUES (?, ?, ?, toTimestamp(now()), ?)',
      [version, name, migrationChecksum(migration), this.#options.by],
    );
  }

  async #lock(): Promise<Result<undefined, MigrateFailure>> {
    const taken = await this.#ask(
      `INSERT INTO schema_state (part, holder, since, value) VALUES (?, ?, toTimestamp(now()), ?) IF NOT EXISTS USING TTL ${MIGRATE_LOCK_S}`,
      ['lock', this.#holder, this.#options.by],
    );
    if (taken.wasApplied()) return ok(undefined);
    const by = taken.first()?.['value'] ?? 'another migrate';
    const message = `${by} is at it; one that died is forgotten after ${MIGRATE_LOCK_S} s`;
    return err({ code: 'busy', message });
  }

  async #renewLock(): Promise<boolean> {
    const renewed = await this.#ask(
      `UPDATE schema_state USING TTL ${MIGRATE_LOCK_S} SET holder = ?, since = toTimestamp(now()), value = ? WHERE part = ? IF holder = ?`,
      [this.#holder, this.#options.by, 'lock', this.#holder],
    );
    return renewed.wasApplied();
  }

  /** One change of the schema, known to all nodes when it returns. */
  async #define(statement: string): Promise<void> {
    const result = await this.#client.execute(statement);
    // The types leave it out.
    const { isSchemaInAgreement } = result.info as { isSchemaInAgreement?: boolean };
    if (isSchemaInAgreement !== true)
      throw new NoAgreement('the nodes of Cassandra do not agree on the schema');
  }

  #ask(statement: string, parameters: readonly unknown[]): Promise<types.ResultSet> {
    return this.#client.execute(statement, [...parameters], { prepare: true });
  }
}
