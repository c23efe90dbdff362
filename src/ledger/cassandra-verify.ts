// The auditor of the ledger's books in Cassandra: I6 (entries sum to zero, escrow = what was settled) and I7 (no investor
// below zero). Cassandra has no snapshot, but every row says by which change of the log it was made: rows of later ones
// are left out, and the tables have all of the earlier ones when this begins.

import { LEDGER_VERIFY_ROWS_PER_TURN } from '../core/limits.js';
import { escrowAccount } from './accounts.js';
import { AccountsCheck } from './cassandra-accounts-check.js';
import { decodeChange, decodeOutcome } from './cassandra-change.js';
import { type Cql, exact } from './cassandra-cql.js';
import { LedgerLog, LogAssembler } from './cassandra-log.js';
import type { BooksState } from './cassandra-state.js';
import { positionBucket } from './cassandra-tables.js';
import { Faults } from './faults.js';
import { type Meta, newMeta, outcomeOf, type RoundRow } from './ledger-rows.js';
import type { LedgerFault } from './store.js';

/** The books after one change of the log. */
export interface BooksAt {
  readonly position: number;
  readonly meta: Meta;
  readonly rounds: readonly (readonly [string, RoundRow])[];
}

const ACCOUNTS = `SELECT account, part, currency, balance, account_version, as_of, version, id, amount, balance_after,
  position FROM ledger_accounts`;
const OUTCOMES = 'SELECT position, outcome FROM ledger_outcomes WHERE bucket = ?';
const DECISIONS = 'SELECT kind, position FROM ledger_decisions';

/** What the sums alone can show. */
export function quickFaults(state: BooksState): readonly LedgerFault[] {
  const faults = new Faults();
  for (const [currency, totals] of Object.entries(state.meta.totals))
    faults.sums(currency, totals, state.account(`external:${currency}`)?.[1] ?? 0);
  for (const [round, row] of state.rounds())
    faults.escrow(round, state.account(escrowAccount(round))?.[1] ?? 0, row);
  return faults.all;
}

/** Reads the log, and every row of the tables that it has made up to there. */
export async function verifyBooks(cql: Cql, at: BooksAt): Promise<readonly LedgerFault[]> {
  const faults = new Faults();
  await checkLog(cql, at, faults);
  const accounts = new AccountsCheck(at.position, faults);
  for await (const row of cql.stream(ACCOUNTS, [], LEDGER_VERIFY_ROWS_PER_TURN)) accounts.row(row);
  accounts.end();
  faults.count('entries', accounts.entries, at.meta.entries);
  faults.count('accounts', accounts.opened, at.meta.accounts);
  const settled = await settledByRound(cql, at, faults);
  for (const [round, row] of at.rounds) {
    faults.escrow(round, accounts.escrows.get(escrowAccount(round)) ?? 0, row);
    const sum = settled.get(round) ?? 0;
    if (sum !== row.settled) faults.add('I6', `round ${round} has settled ${sum}, not ${row.settled}`);
  }
  return faults.all;
}

/** Every change of the log moves money from account to account, and counts what it writes. */
async function checkLog(cql: Cql, at: BooksAt, faults: Faults): Promise<void> {
  const log = new LedgerLog(cql);
  const assembler = new LogAssembler();
  let { entries, nextOutcome } = newMeta();
  for (let next = 1; next <= at.position; ) {
    const records = await log.read(next);
    if (records[0]?.position !== next) return faults.add('I6', `position ${next} of the log is missing`);
    for (const record of records) {
      next = record.position + 1;
      const body = record.position > at.position ? null : assembler.take(record);
      if (body === null) continue;
      const change = decodeChange(body);
      const sums = new Map<string, number>();
      for (const [, , [id, amount]] of change.entries) sums.set(id, (sums.get(id) ?? 0) + amount);
      for (const [id, sum] of sums) if (sum !== 0) faults.add('I6', `the legs of ${id} sum to ${sum}`);
      entries += change.entries.length;
      nextOutcome += change.outcomes.length;
    }
  }
  faults.count('entries in the log', entries, at.meta.entries);
  faults.count('outcomes in the log', nextOutcome - 1, at.meta.nextOutcome - 1);
}

/** Sums of what outcomes say was settled; every one is there, and no id has two. */
async function settledByRound(
  cql: Cql,
  { meta }: BooksAt,
  faults: Faults,
): Promise<ReadonlyMap<string, number>> {
  const settled = new Map<string, number>();
  const last = meta.nextOutcome - 1;
  let outcomes = 0;
  for (let bucket = 0; bucket <= positionBucket(last); bucket++) {
    for await (const row of cql.stream(OUTCOMES, [bucket], LEDGER_VERIFY_ROWS_PER_TURN)) {
      if (exact(row['position']) > last) continue;
      const { state, round, amount } = outcomeOf(decodeOutcome(row['outcome']));
      if (state === 'settled') settled.set(round, (settled.get(round) ?? 0) + amount);
      outcomes++;
    }
  }
  faults.count('outcomes', outcomes, last);
  let ids = 0;
  for await (const row of cql.stream(DECISIONS, [], LEDGER_VERIFY_ROWS_PER_TURN))
    if (row['kind'] === 'investment' && exact(row['position']) <= last) ids++;
  faults.count('ids with an outcome', ids, last);
  return settled;
}
