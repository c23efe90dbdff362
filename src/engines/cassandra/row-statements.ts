// Rows as statements, grouped into batches of one partition each. The columns that a row does not have are left out of
// its statement: a null would be written as a tombstone.

import { investorHash } from '../../core/investor.js';
import {
  CASSANDRA_BATCH_BYTES,
  CASSANDRA_BATCH_ROWS,
  ROW_BUCKET_SEQUENCES,
  ROW_INVESTOR_SLICES,
} from '../../core/limits.js';
import type { OutcomeRow, VerdictRow } from '../../core/rows.js';
import type { ControlRow, InvestorRow, InvestorRowEntry, RowEntry } from '../rows.js';

export interface Statement {
  readonly query: string;
  readonly params: readonly unknown[];
}

/** Columns that a statement of a verdict, or of an outcome, names behind those of its key. */
const VERDICT_COLUMNS = 'at, investor, verdict, idempotency_key, amount, extra';
const OUTCOME_COLUMNS = 'at, investor, investment, amount, state, reason, balance, balance_version, eligible';

function insert(table: string, columns: string): string {
  const places = columns.replaceAll(/[a-z_]+/g, '?');
  return `INSERT INTO ${table} (${columns}) VALUES (${places})`;
}

const BY_ROUND = 'cluster, round, bucket, sequence, epoch';
const BY_INVESTOR = 'cluster, round, slice, sequence, epoch, id';
const INSERTS = {
  roundVerdict: insert('rows_by_round', `${BY_ROUND}, ${VERDICT_COLUMNS}`),
  roundOutcome: insert('rows_by_round', `${BY_ROUND}, ${OUTCOME_COLUMNS}`),
  investorVerdict: insert('rows_by_investor', `${BY_INVESTOR}, ${VERDICT_COLUMNS}`),
  investorOutcome: insert('rows_by_investor', `${BY_INVESTOR}, ${OUTCOME_COLUMNS}`),
  control: insert('control_rows', 'cluster, sequence, epoch, at, kind, change, content'),
} as const;

/** The partition of a sequence, in its round. */
function bucketOf(sequence: number): number {
  return Math.floor(sequence / ROW_BUCKET_SEQUENCES);
}

/** The partition of an investor's rows, in a round. */
export function sliceOf(investor: string): number {
  return investorHash(investor) % ROW_INVESTOR_SLICES;
}

function verdictParams(row: VerdictRow): unknown[] {
  return [row.at, row.investor, row.verdict, row.key, row.amount, row.extra];
}

/** A settled one has an empty reason: cheaper to read than to leave out. */
function outcomeParams(row: OutcomeRow): unknown[] {
  const { at, investor, investment, amount, state, reason, balance, balanceVersion, eligible } = row;
  return [at, investor, investment, amount, state, reason ?? '', balance, balanceVersion, eligible];
}

function byRound(
  cluster: string,
  { row, epoch, round }: RowEntry & { readonly row: InvestorRow },
): Statement {
  const key = [cluster, round, bucketOf(row.sequence), row.sequence, epoch];
  return row.kind === 'verdict'
    ? { query: INSERTS.roundVerdict, params: [...key, ...verdictParams(row)] }
    : { query: INSERTS.roundOutcome, params: [...key, ...outcomeParams(row)] };
}

function byInvestor(cluster: string, { row, epoch, round, investment }: InvestorRowEntry): Statement {
  const key = [cluster, round, sliceOf(row.investor), row.sequence, epoch, investment];
  return row.kind === 'verdict'
    ? { query: INSERTS.investorVerdict, params: [...key, ...verdictParams(row)] }
    : { query: INSERTS.investorOutcome, params: [...key, ...outcomeParams(row)] };
}

function control(cluster: string, row: ControlRow, epoch: number): Statement {
  const [change, content] =
    row.kind === 'round'
      ? [row.change, row.definition]
      : ['rebuilt', { lineage: row.lineage, lostThrough: row.lostThrough }];
  const params = [cluster, row.sequence, epoch, row.at, row.kind, change, JSON.stringify(content)];
  return { query: INSERTS.control, params };
}

/** Batches of the rows by sequence: each of one partition, by bytes and rows within the bounds. */
export function roundBatches(cluster: string, entries: readonly RowEntry[]): Statement[][] {
  const batches = new Batches();
  for (const entry of entries) {
    const { row, epoch, round } = entry;
    if (row.kind === 'round' || row.kind === 'lineage') batches.add('', control(cluster, row, epoch));
    else batches.add(`${round} ${bucketOf(row.sequence)}`, byRound(cluster, { row, epoch, round }));
  }
  return batches.all;
}

/** Batches of the rows by investor, the same way. */
export function investorBatches(cluster: string, entries: readonly InvestorRowEntry[]): Statement[][] {
  const batches = new Batches();
  for (const entry of entries) {
    batches.add(`${entry.round} ${sliceOf(entry.row.investor)}`, byInvestor(cluster, entry));
  }
  return batches.all;
}

interface OpenBatch {
  statements: Statement[];
  bytes: number;
}

class Batches {
  readonly all: Statement[][] = [];
  readonly #open = new Map<string, OpenBatch>();

  add(partition: string, statement: Statement): void {
    const bytes = bytesOf(statement);
    let open = this.#open.get(partition);
    if (
      open === undefined ||
      open.statements.length >= CASSANDRA_BATCH_ROWS ||
      open.bytes + bytes > CASSANDRA_BATCH_BYTES
    ) {
      open = { statements: [], bytes: 0 };
      this.#open.set(partition, open);
      this.all.push(open.statements);
    }
    open.statements.push(statement);
    open.bytes += bytes;
  }
}

/** What a statement takes on the wire: its id, and per value a length and the value, of which only texts vary. */
function bytesOf({ params }: Statement): number {
  let bytes = 24;
  for (const value of params) bytes += 4 + (typeof value === 'string' ? value.length : 8);
  return bytes;
}
