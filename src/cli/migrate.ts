// `openbell migrate`: brings the Cassandra keyspace to the schema of this program.

import { hostname, userInfo } from 'node:os';
import { EXIT, type ExitCode } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { type MigrateFailure, type MigrateReport, migrate } from '../engines/cassandra/migrate.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import { CONFIG_OPTION, JSON_OPTION, readArguments, usageFailure } from './arguments.js';
import { type Failure, fail } from './failure.js';
import { commandConfig } from './load-config.js';
import { printJson, printLine } from './output.js';

const SPEC = {
  name: 'migrate',
  positionals: [],
  summary: 'Create the Cassandra keyspace where it is missing, and bring its tables to this version.',
  options: {
    replication: {
      type: 'string',
      value: 'N|DC=N,…',
      help: 'copies of each row, for a keyspace that is created: in the configured data centre, or in each one named',
    },
    'dry-run': { type: 'boolean', help: 'only say what would be done' },
    ...CONFIG_OPTION,
    ...JSON_OPTION,
  },
  notes: `Run it before the first start and after each upgrade; it does no harm at any time. Three copies are what
"replicated" should rest on: openbell migrate --replication 3`,
} as const;

const EXIT_CODES: Readonly<Record<MigrateFailure['code'], ExitCode>> = {
  unreachable: EXIT.unavailable,
  busy: EXIT.tryAgain,
  'missing-keyspace': EXIT.config,
  mismatch: EXIT.config,
  refused: EXIT.config,
};

export async function migrateCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const { values } = parsed.value;
  const config = commandConfig(values.config, env);
  if (!config.ok) return fail(config.error);
  if (config.value.cassandra.length === 0)
    return fail({
      message: 'OPENBELL_CASSANDRA is not set: there is nothing to migrate',
      exitCode: EXIT.config,
    });
  const replication = readReplication(values.replication, config.value.cassandraDatacenter);
  if (!replication.ok) return fail(replication.error);
  const cassandra = cassandraOptions(config.value);
  if (!cassandra.ok) return fail({ message: cassandra.error, exitCode: EXIT.config });
  const migrated = await migrate({
    cassandra: cassandra.value,
    replication: replication.value,
    dryRun: values['dry-run'] === true,
    by: `${userInfo().username}@${hostname()} (process ${process.pid})`,
  });
  if (!migrated.ok) {
    const { code, message } = migrated.error;
    return fail({ message: `migrate: ${message}`, exitCode: EXIT_CODES[code] });
  }
  if (values.json === true) printJson(migrated.value);
  else printReport(migrated.value);
  return EXIT.done;
}

/** `3`, or `dc1=3,dc2=2`; null when it was not given. */
function readReplication(
  text: string | undefined,
  datacenter: string,
): Result<Readonly<Record<string, number>> | null, Failure> {
  if (text === undefined) return ok(null);
  const copies: Record<string, number> = {};
  for (const part of text.split(',')) {
    const match = /^(?:([A-Za-z0-9_. -]{1,64})=)?([1-9][0-9]?)$/.exec(part.trim());
    if (match === null || (match[1] === undefined && text.includes(',')))
      return err(usageFailure(SPEC.name, '--replication must be a number such as 3, or dc1=3,dc2=2'));
    copies[match[1] ?? datacenter] = Number.parseInt(match[2] ?? '', 10);
  }
  return ok(copies);
}

function printReport({ keyspace, keyspaceCreated, version, applied, dryRun }: MigrateReport): void {
  const would = dryRun ? 'would be ' : '';
  if (keyspaceCreated) printLine(`keyspace ${keyspace} ${would}created`);
  for (const name of applied) printLine(`${would}applied ${name}`);
  if (applied.length === 0) printLine(`nothing to do`);
  printLine(`keyspace ${keyspace} ${dryRun ? 'would have' : 'has'} schema version ${version}`);
}
