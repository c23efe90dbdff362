// The rows of the ledger's books, as the small arrays that they are on disk. Money is an integer of at most
// 2^53-1, which MessagePack keeps exactly. A row is checked when it is written and again when it is read.

import { assert } from '../core/assert.js';
import {
  DECLINE_REASONS,
  type DeclineReason,
  type InvestmentMessage,
  type OutcomeMessage,
} from '../core/messages.js';
import type { RoundTotals } from './store.js';

export interface Account {
  currency: string;
  balance: number;
  eligible: boolean;
  /** Grows by one with every change: an entry, or the eligibility. */
  version: number;
  /** Its newest place in the balance outbox; 0: never. */
  outboxPosition: number;
}

export type AccountRow = readonly [
  currency: string,
  balance: number,
  eligible: 0 | 1,
  version: number,
  outbox: number,
];

export function accountRow(account: Account): AccountRow {
  assert(Number.isSafeInteger(account.balance), 'a balance must be an exact integer');
  assert(account.version > 0, 'a stored account has changed at least once');
  return [
    account.currency,
    account.balance,
    account.eligible ? 1 : 0,
    account.version,
    account.outboxPosition,
  ];
}

export function accountOf(row: AccountRow): Account {
  const [currency, balance, eligible, version, outboxPosition] = row;
  assert(
    Number.isSafeInteger(balance) && Number.isSafeInteger(version),
    'an account row must hold exact integers',
  );
  return { currency, balance, eligible: eligible === 1, version, outboxPosition };
}

/** One leg: transfer id, signed amount, balance after it, stored name of the other leg's account, time. */
export type EntryRow = readonly [
  id: string,
  amount: number,
  balance: number,
  counterparty: string,
  atMs: number,
];

export type TransferRow = readonly [from: string, to: string, amount: number, currency: string, atMs: number];

/** `reason` 0: settled; else 1 + index into DECLINE_REASONS. */
export type OutcomeRow = readonly [
  id: string,
  round: string,
  investor: string,
  sequence: number,
  amount: number,
  currency: string,
  reason: number,
  balance: number,
  balanceVersion: number,
  eligible: 0 | 1,
  atMs: number,
];

/** The outcome of `investment`, with the investor's account as it is after it. */
export function outcomeRow(
  investment: InvestmentMessage,
  reason: DeclineReason | null,
  account: Account | null,
  atMs: number,
): OutcomeRow {
  assert(account === null || account.balance >= 0, 'no investor has less than nothing');
  return [
    investment.id,
    investment.round,
    investment.investor,
    investment.sequence,
    investment.amount,
    investment.currency,
    reason === null ? 0 : 1 + DECLINE_REASONS.indexOf(reason),
    account?.balance ?? 0,
    account?.version ?? 0,
    account?.eligible === true ? 1 : 0,
    atMs,
  ];
}

/** The message that a row stands for: always the same one. */
export function outcomeOf(row: OutcomeRow): OutcomeMessage {
  const [
    id,
    round,
    investor,
    sequence,
    amount,
    currency,
    reasonNumber,
    balance,
    balanceVersion,
    eligible,
    atMs,
  ] = row;
  const reason = reasonNumber === 0 ? undefined : DECLINE_REASONS[reasonNumber - 1];
  assert(reasonNumber === 0 || reason !== undefined, 'an outcome row must have a known reason');
  return {
    id,
    round,
    investor,
    sequence,
    amount,
    currency,
    state: reason === undefined ? 'settled' : 'declined',
    ...(reason === undefined ? {} : { reason }),
    balance,
    balanceVersion,
    eligible: eligible === 1,
    at: new Date(atMs).toISOString(),
  };
}

/** What the ledger knows of a round. Sums of money; counts of investments. */
export interface RoundRow {
  cap: number;
  settled: number;
  settledCount: number;
  /** In the order of DECLINE_REASONS. */
  declined: number[];
  declinedCount: number[];
  transferred: number;
  /** Highest epoch of a message, once epochs are checked. */
  epoch?: number;
}

export const newRound = (): RoundRow => ({
  cap: 0,
  settled: 0,
  settledCount: 0,
  declined: DECLINE_REASONS.map(() => 0),
  declinedCount: DECLINE_REASONS.map(() => 0),
  transferred: 0,
});

export const copyOfRound = (row: RoundRow): RoundRow => ({
  ...row,
  declined: [...row.declined],
  declinedCount: [...row.declinedCount],
});

export function noteDeclined(round: RoundRow, reason: DeclineReason, amount: number): void {
  const index = DECLINE_REASONS.indexOf(reason);
  // A statistic, not money: it stops at the largest exact integer instead of going wrong.
  round.declined[index] = Math.min(Number.MAX_SAFE_INTEGER, (round.declined[index] ?? 0) + amount);
  round.declinedCount[index] = (round.declinedCount[index] ?? 0) + 1;
}

const byReason = (values: readonly number[]): Record<DeclineReason, number> =>
  Object.fromEntries(DECLINE_REASONS.map((reason, index) => [reason, values[index] ?? 0])) as Record<
    DeclineReason,
    number
  >;

/** @param escrow the account of the round's escrow, when there is one */
export function roundTotals(round: string, row: RoundRow, escrow: AccountRow | undefined): RoundTotals {
  return {
    round,
    currency: escrow?.[0] ?? null,
    cap: row.cap,
    settled: row.settled,
    declined: byReason(row.declined),
    settledCount: row.settledCount,
    declinedCount: byReason(row.declinedCount),
    escrow: escrow?.[1] ?? 0,
    transferred: row.transferred,
  };
}

/** Sums over all accounts of one currency, by kind; they add up to zero. */
export interface CurrencyTotals {
  investor: number;
  escrow: number;
  external: number;
}

/** The store's single bookkeeping row, written with every transaction. */
export interface Meta {
  readonly format: 1;
  nextOutcome: number;
  nextOutbox: number;
  accounts: number;
  entries: number;
  totals: Record<string, CurrencyTotals>;
  /** Highest fencing token that has claimed the books; absent before the first. */
  token?: number;
}

export const newMeta = (): Meta => ({
  format: 1,
  nextOutcome: 1,
  nextOutbox: 1,
  accounts: 0,
  entries: 0,
  totals: {},
});

export const copyOfMeta = (meta: Meta): Meta => ({
  ...meta,
  totals: Object.fromEntries(Object.entries(meta.totals).map(([currency, sums]) => [currency, { ...sums }])),
});
