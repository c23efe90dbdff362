// What travels on the message bus: JSON bodies that any consumer can read, checked field by field when they arrive.

import { err, ok, type Result } from './result.js';

export const TOPICS = {
  investments: 'openbell.investments',
  outcomes: 'openbell.outcomes',
  balances: 'openbell.balances',
  events: 'openbell.events',
} as const;

/** Edge to ledger: an accepted investment that waits for its money. Amounts in minor units. */
export interface InvestmentMessage {
  readonly id: string;
  readonly round: string;
  readonly investor: string;
  readonly amount: number;
  readonly currency: string;
  /** Journal sequence of the accepted row. */
  readonly sequence: number;
  /** Fencing epoch of the node that admitted it. */
  readonly epoch: number;
  /** RFC 3339. */
  readonly acceptedAt: string;
  /** The round's cap when this was published. */
  readonly cap: number;
}

export const DECLINE_REASONS = ['insufficient-funds', 'not-eligible', 'cap-exceeded'] as const;
export type DeclineReason = (typeof DECLINE_REASONS)[number];

/** Ledger to edge: what became of an investment, and the account after it. */
export interface OutcomeMessage {
  readonly id: string;
  readonly round: string;
  readonly investor: string;
  readonly sequence: number;
  readonly amount: number;
  readonly currency: string;
  readonly state: 'settled' | 'declined';
  /** Present when declined. */
  readonly reason?: DeclineReason;
  /** The account's balance after it; 0 without an account. */
  readonly balance: number;
  /** The account's version: grows with each entry and each change of eligibility; 0 without an account. */
  readonly balanceVersion: number;
  readonly eligible: boolean;
  /** RFC 3339. */
  readonly at: string;
}

/** Ledger to edge: a balance that changed for another reason than an outcome. */
export interface BalanceMessage {
  readonly investor: string;
  readonly currency: string;
  readonly balance: number;
  readonly eligible: boolean;
  readonly version: number;
  readonly at: string;
}

/** The message as UTF-8 JSON. */
export function encodeMessage(message: InvestmentMessage | OutcomeMessage | BalanceMessage): Buffer {
  return Buffer.from(JSON.stringify(message), 'utf8');
}

type Check = (value: unknown) => boolean;
const text: Check = (value) => typeof value === 'string' && value.length > 0 && value.length <= 256;
const count: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const flag: Check = (value) => typeof value === 'boolean';

function decode<T>(body: Uint8Array, fields: Readonly<Record<string, Check>>): Result<T, string> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return err('not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return err('not a JSON object');
  for (const [name, check] of Object.entries(fields)) {
    if (!check((value as Record<string, unknown>)[name])) return err(`member ${name} is missing or wrong`);
  }
  return ok(value as T);
}

/** Reads an investment; an error names the member that is wrong. */
export function decodeInvestmentMessage(body: Uint8Array): Result<InvestmentMessage, string> {
  return decode(body, {
    id: text,
    round: text,
    investor: text,
    amount: count,
    currency: text,
    sequence: count,
    epoch: count,
    acceptedAt: text,
    cap: count,
  });
}

/** Reads an outcome; an error names the member that is wrong. */
export function decodeOutcomeMessage(body: Uint8Array): Result<OutcomeMessage, string> {
  const read = decode<OutcomeMessage>(body, {
    id: text,
    round: text,
    investor: text,
    sequence: count,
    amount: count,
    currency: text,
    state: (value) => value === 'settled' || value === 'declined',
    balance: count,
    balanceVersion: count,
    eligible: flag,
    at: text,
  });
  if (!read.ok || read.value.state === 'settled') return read;
  const { reason } = read.value;
  return reason !== undefined && DECLINE_REASONS.includes(reason)
    ? read
    : err('member reason is missing or wrong');
}

/** Reads a balance change; an error names the member that is wrong. */
export function decodeBalanceMessage(body: Uint8Array): Result<BalanceMessage, string> {
  return decode(body, {
    investor: text,
    currency: text,
    balance: count,
    eligible: flag,
    version: count,
    at: text,
  });
}
