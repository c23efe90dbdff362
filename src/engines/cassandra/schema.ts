// The tables, as migrations that are applied in order and never changed afterwards: what is to be different is a new one.
//
//   rows_by_round     every verdict and outcome by (round, bucket of sequence): truth for a rebuild, read by analysts
//   control_rows      round and lineage rows, a few per round: one partition per cluster
//   rows_by_investor  the same verdicts and outcomes by investor: a view, filled behind
//   ledger_*          the books of the ledger: ledger-tables.ts
//   epochs            which epoch began at which sequence in which journal, built after which epoch: core/epochs.ts says
//                     which rows count
//
// Money, sequences and epochs are bigint; sums are of the currency's minor unit. A row's epoch is part of its key, so
// that a node that has been superseded can write as much as it likes and overwrites nothing.

import { createHash } from 'node:crypto';
import { LEDGER_TABLES } from './ledger-tables.js';

export interface Migration {
  /** 1, 2, 3, … */
  readonly version: number;
  readonly name: string;
  /** Each may be run again; names are in the session's keyspace. */
  readonly statements: readonly string[];
}

const VERDICT_AND_OUTCOME = `
  at timestamp,
  verdict text,
  idempotency_key text,
  amount bigint,
  extra bigint,
  investment bigint,
  state text,
  reason text,
  balance bigint,
  balance_version bigint,
  eligible boolean`;

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'rows of the journal',
    statements: [
      `CREATE TABLE IF NOT EXISTS epochs (
  cluster text,
  epoch bigint,
  journal_id text,
  first_sequence bigint,
  ack text,
  at timestamp,
  PRIMARY KEY ((cluster), epoch)
) WITH comment = 'from its first sequence on, rows of older epochs do not count'`,
      `CREATE TABLE IF NOT EXISTS rows_by_round (
  cluster text,
  round text,
  bucket bigint,
  sequence bigint,
  epoch bigint,
  investor text,${VERDICT_AND_OUTCOME},
  PRIMARY KEY ((cluster, round, bucket), sequence, epoch)
) WITH comment = 'verdicts and outcomes; bucket = sequence / 8192'`,
      `CREATE TABLE IF NOT EXISTS control_rows (
  cluster text,
  sequence bigint,
  epoch bigint,
  at timestamp,
  kind text,
  change text,
  content text,
  PRIMARY KEY ((cluster), sequence, epoch)
) WITH comment = 'changes of rounds, and lineages of journals, as JSON'`,
      `CREATE TABLE IF NOT EXISTS rows_by_investor (
  cluster text,
  round text,
  slice smallint,
  investor text,
  sequence bigint,
  epoch bigint,
  id text,${VERDICT_AND_OUTCOME},
  PRIMARY KEY ((cluster, round, slice), investor, sequence, epoch)
) WITH CLUSTERING ORDER BY (investor ASC, sequence DESC, epoch DESC)
  AND comment = 'verdicts and outcomes by investor; slice = FNV-1a of investor % 64'`,
    ],
  },
  { version: 2, name: 'books of the ledger', statements: LEDGER_TABLES },
  {
    version: 3,
    name: 'lines of journals',
    statements: ['ALTER TABLE epochs ADD IF NOT EXISTS built_after bigint'],
  },
];

/** The version that this program works with. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Tells a migration from one that was changed after it had been applied. */
export function migrationChecksum({ statements }: Migration): string {
  return createHash('sha256').update(statements.join(';\n')).digest('hex').slice(0, 16);
}

/** What `migrate` needs before it can do anything, made by itself. */
export const BOOKKEEPING: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS schema_migrations (
  version int PRIMARY KEY,
  name text,
  checksum text,
  applied_at timestamp,
  applied_by text
) WITH comment = 'what openbell migrate has applied'`,
  `CREATE TABLE IF NOT EXISTS schema_state (
  part text PRIMARY KEY,
  holder text,
  since timestamp,
  value text
) WITH comment = 'the lock of openbell migrate, and what tells this keyspace from another'`,
];
