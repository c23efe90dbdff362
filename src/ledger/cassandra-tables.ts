// The tables made from the ledger's log. Every write carries its position in the log as the timestamp, and the row as it
// is after that position: so the same write again changes nothing, a late one of a process that was paused cannot
// replace a newer row, and the order in which rows arrive does not matter.

import { types } from 'cassandra-driver';
import { assert } from '../core/assert.js';
import {
  LEDGER_ACCOUNT_PART_ENTRIES,
  LEDGER_CQL_BATCH_ROWS,
  LEDGER_POSITION_BUCKET_ROWS,
} from '../core/limits.js';
import { DECLINE_REASONS } from '../core/messages.js';
import { escrowAccount, investorAccount } from './accounts.js';
import type { Decision } from './books-transaction.js';
import { encodeOutcome, encodeState, type LogChange } from './cassandra-change.js';
import { exact, type PartitionWrite, type Statement } from './cassandra-cql.js';
import type { AccountRow, EntryRow, OutcomeRow, RoundRow, TransferRow } from './ledger-rows.js';

const insert = (table: string, columns: string): string =>
  `INSERT INTO ${table} (${columns}) VALUES (${columns.replaceAll(/\w+/g, '?')})`;

const ACCOUNT = insert(
  'ledger_accounts',
  'account, part, currency, balance, eligible, account_version, outbox, as_of',
);
const ENTRY = insert(
  'ledger_accounts',
  'account, part, version, id, amount, balance_after, counterparty, at, position',
);
const OUTCOME = insert('ledger_outcomes', 'bucket, position, outcome');
const ROUND = insert(
  'ledger_rounds',
  'round, cap, settled, settled_count, declined, declined_count, transferred, epoch',
);
const OUTBOX = insert('ledger_outbox', 'bucket, position, investor');
const DECISION = insert(
  'ledger_decisions',
  'prefix, id, kind, from_account, to_account, amount, currency, at, round, investor, sequence, reason, balance, ' +
    'balance_version, eligible, position',
);
const STATE = insert('ledger_state', 'name, position, body');
export const STATE_NAME = 'tables';

/** The part of an account that holds the entry of this version. */
export const partOf = (version: number): number => Math.floor(version / LEDGER_ACCOUNT_PART_ENTRIES);

/** The partition of a position of outcomes, or of the outbox. */
export const positionBucket = (position: number): number =>
  Math.floor(position / LEDGER_POSITION_BUCKET_ROWS);

/** Ids that follow each other share a partition, which a group of investments then reads and writes as a whole. */
export const prefixOf = (id: string): string => id.slice(0, -2) || '-';

/** All rows of a change, whose position is also their timestamp. */
export function tableWrites(position: number, change: LogChange): readonly PartitionWrite[] {
  const writes = new WritesByPartition();
  for (const [name, version, row] of change.entries) {
    const [id, amount, balance, counterparty, atMs] = row;
    const params = [
      name,
      partOf(version),
      version,
      id,
      amount,
      balance,
      counterparty,
      new Date(atMs),
      position,
    ];
    writes.add(`a ${name} ${partOf(version)}`, { query: ENTRY, params });
  }
  for (const [name, [currency, balance, eligible, version, outbox]] of change.accounts) {
    const params = [name, 0, currency, balance, eligible === 1, version, outbox, position];
    writes.add(`a ${name} 0`, { query: ACCOUNT, params });
  }
  for (const [at, row] of change.outcomes) {
    const bucket = positionBucket(at);
    writes.add(`o ${bucket}`, { query: OUTCOME, params: [bucket, at, encodeOutcome(row)] });
    writes.add(`d ${prefixOf(row[0])}`, outcomeStatement(at, row));
  }
  for (const [id, row] of change.transfers) writes.add(`d ${prefixOf(id)}`, transferStatement(id, row));
  for (const [round, row] of change.rounds) writes.add(`r ${round}`, roundStatement(round, row));
  for (const [at, investor] of change.outbox) {
    const bucket = positionBucket(at);
    writes.add(`b ${bucket}`, { query: OUTBOX, params: [bucket, at, investor] });
  }
  return writes.all();
}

/** That the tables have everything up to this position: written when all of it is. */
export const stateWrite = (position: number, change: LogChange): PartitionWrite => [
  { query: STATE, params: [STATE_NAME, position, encodeState(change)] },
];

/** Of the outbox, a partition that the edge has heard of as a whole. */
export const outboxRemoval = (bucket: number): PartitionWrite => [
  { query: 'DELETE FROM ledger_outbox WHERE bucket = ?', params: [bucket] },
];

/** Statements gathered by their partition, in batches of bounded size. */
class WritesByPartition {
  readonly #open = new Map<string, Statement[]>();
  readonly #full: Statement[][] = [];

  add(partition: string, statement: Statement): void {
    const batch = this.#open.get(partition) ?? [];
    batch.push(statement);
    if (batch.length < LEDGER_CQL_BATCH_ROWS) {
      this.#open.set(partition, batch);
      return;
    }
    this.#full.push(batch);
    this.#open.delete(partition);
  }

  all(): readonly PartitionWrite[] {
    return [...this.#full, ...this.#open.values()];
  }
}

function outcomeStatement(position: number, row: OutcomeRow): Statement {
  const [id, round, investor, sequence, amount, currency, reason, balance, version, eligible, atMs] = row;
  return {
    query: DECISION,
    params: [
      prefixOf(id),
      id,
      'investment',
      investorAccount(investor),
      escrowAccount(round),
      amount,
      currency,
      new Date(atMs),
      round,
      investor,
      sequence,
      reason === 0 ? types.unset : DECLINE_REASONS[reason - 1],
      balance,
      version,
      eligible === 1,
      position,
    ],
  };
}

function transferStatement(id: string, [from, to, amount, currency, atMs]: TransferRow): Statement {
  const none = Array.from({ length: 8 }, () => types.unset);
  return {
    query: DECISION,
    params: [prefixOf(id), id, 'transfer', from, to, amount, currency, new Date(atMs), ...none],
  };
}

function roundStatement(round: string, row: RoundRow): Statement {
  const { cap, settled, settledCount, declined, declinedCount, transferred, epoch } = row;
  return {
    query: ROUND,
    params: [round, cap, settled, settledCount, declined, declinedCount, transferred, epoch ?? types.unset],
  };
}

export function decisionOf(row: types.Row): Decision {
  const amount = exact(row['amount']);
  const atMs = (row['at'] as Date).getTime();
  if (row['kind'] === 'transfer') {
    const transfer: TransferRow = [row['from_account'], row['to_account'], amount, row['currency'], atMs];
    return { kind: 'transfer', transfer };
  }
  const reason = row['reason'] === null ? 0 : 1 + DECLINE_REASONS.indexOf(row['reason']);
  assert(row['reason'] === null || reason > 0, 'a decision must have a known reason');
  const outcome: OutcomeRow = [
    row['id'],
    row['round'],
    row['investor'],
    exact(row['sequence']),
    amount,
    row['currency'],
    reason,
    exact(row['balance']),
    exact(row['balance_version']),
    row['eligible'] === true ? 1 : 0,
    atMs,
  ];
  return { kind: 'investment', outcome };
}

/** The static columns of an account's first part. */
export const accountRowOf = (row: types.Row): AccountRow => [
  row['currency'],
  exact(row['balance']),
  row['eligible'] === true ? 1 : 0,
  exact(row['account_version']),
  exact(row['outbox']),
];

export const entryRowOf = (row: types.Row): EntryRow => [
  row['id'],
  exact(row['amount']),
  exact(row['balance_after']),
  row['counterparty'],
  (row['at'] as Date).getTime(),
];

export function roundRowOf(row: types.Row): RoundRow {
  const epoch: unknown = row['epoch'];
  return {
    cap: exact(row['cap']),
    settled: exact(row['settled']),
    settledCount: exact(row['settled_count']),
    declined: (row['declined'] as unknown[]).map(exact),
    declinedCount: (row['declined_count'] as unknown[]).map(exact),
    transferred: exact(row['transferred']),
    ...(epoch === null ? {} : { epoch: exact(epoch) }),
  };
}
