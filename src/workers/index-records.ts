// The index's records and their bytes. All integers are varints unless said otherwise.
//
//   investor   u8 flags (1 known, 2 eligible, 4 has a version)
//              known:       u16 currency (three letters as a number in base 26, low byte first), balance
//              has version: balanceVersion
//              then per round, ascending: round, attempts * 4 + live code (0 none, 1 accepted, 2 settled),
//                live: sequence, amount
//                then of the first INLINE_KEYS attempts: u32 hash of the key, sequence
//   row        u8 verdict (bits 0-2), state (3-4), reason (5-6); time; time of the outcome (0: none yet);
//              round, amount, extra, u8 length of the investor, investor, key
//   round      JSON of RoundEntry        mark   JSON of IndexMark
//
// The keys of an investor live in their record, because that page is written for each attempt anyway: a table of
// keys of its own would double the pages that a commit touches. Only what exceeds INLINE_KEYS goes to such a table.
// The hash saves bytes and is no proof: the row at the sequence is, so a false match costs one read.

import type { InvestmentOutcome } from '../core/investment-view.js';
import { DECLINE_REASONS, type DeclineReason } from '../core/messages.js';
import type { RoundDefinition } from '../core/round.js';
import { STICKY_VERDICTS, type StickyVerdict, type VerdictRow } from '../core/rows.js';
import { RecordReader, RecordWriter } from './index-bytes.js';
import { IndexDamage } from './index-damage.js';

/** Attempts of an investor and round whose keys are kept in the investor's record. Part of the format. */
export const INLINE_KEYS = 8;

/** What the index knows of an investor's part in one round. */
export interface InvestorRound {
  readonly round: number;
  /** Verdicts that stuck, of any kind. */
  attempts: number;
  /** Sequence of the live investment, 0 for none. */
  live: number;
  /** Minor units, 0 without a live investment. */
  liveAmount: number;
  liveState: 'accepted' | 'settled';
  /** Hash and sequence, in turns, of the first attempts. */
  readonly keys: number[];
}

export interface InvestorRecord {
  /** False when only attempts are known: no balance was ever told. */
  known: boolean;
  eligible: boolean;
  /** Minor units. */
  balance: number;
  /** ISO 4217, empty while unknown. */
  currency: string;
  /** The ledger account's entry count; 0: told by an import only. */
  balanceVersion: number;
  /** Ascending by number. */
  readonly rounds: InvestorRound[];
}

/** A verdict with what became of it. */
export interface IndexedRow extends VerdictRow {
  readonly state: 'rejected' | 'accepted' | 'settled' | 'declined';
  readonly reason: DeclineReason | null;
  /** Milliseconds since the epoch; null while there is no outcome. */
  readonly outcomeAt: number | null;
}

export interface RoundTotals {
  /** Money of live investments, and how many they are. */
  admitted: number;
  investors: number;
  /** Money and number of outcomes. */
  settled: number;
  settledCount: number;
  declined: number;
  declinedCount: number;
  readonly verdicts: Record<StickyVerdict, number>;
}

export interface RoundEntry {
  readonly definition: RoundDefinition;
  readonly totals: RoundTotals;
}

export function emptyTotals(): RoundTotals {
  const verdicts = Object.fromEntries(STICKY_VERDICTS.map((name) => [name, 0])) as Record<
    StickyVerdict,
    number
  >;
  return { admitted: 0, investors: 0, settled: 0, settledCount: 0, declined: 0, declinedCount: 0, verdicts };
}

export function emptyInvestor(): InvestorRecord {
  return { known: false, eligible: false, balance: 0, currency: '', balanceVersion: 0, rounds: [] };
}

/** FNV-1a of an idempotency key. */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The flags of an investor's record; `all` is the largest value. */
export const INVESTOR_FLAG = { known: 1, eligible: 2, versioned: 4, all: 7 } as const;
/** How a live investment stands; 0 is none. */
export const LIVE_CODES = { accepted: 1, settled: 2 } as const;

const writer = new RecordWriter();
const reader = new RecordReader();

/** The record's bytes, valid until the next encode of this thread. */
export function encodeInvestor(record: InvestorRecord): Buffer {
  writer.start();
  const versioned = record.balanceVersion > 0;
  const { known, eligible, versioned: withVersion } = INVESTOR_FLAG;
  writer.byte((record.known ? known : 0) | (record.eligible ? eligible : 0) | (versioned ? withVersion : 0));
  if (record.known) {
    const currency = currencyCode(record.currency);
    writer.byte(currency & 255);
    writer.byte(currency >>> 8);
    writer.varint(record.balance);
  }
  if (versioned) writer.varint(record.balanceVersion);
  for (const part of record.rounds) {
    writer.varint(part.round);
    writer.varint(part.attempts * 4 + (part.live === 0 ? 0 : LIVE_CODES[part.liveState]));
    if (part.live !== 0) {
      writer.varint(part.live);
      writer.varint(part.liveAmount);
    }
    for (let i = 0; i < part.keys.length; i += 2) {
      writer.u32(part.keys[i]!);
      writer.varint(part.keys[i + 1]!);
    }
  }
  return writer.bytes();
}

/**
 * The record of an investor who makes the first attempt in a round that is later than any in their record: the bytes
 * of the record, and those of that part behind them. `bytes` is the record, `length` 0 for none yet.
 */
export function withFirstAttempt(bytes: Buffer, length: number, attempt: VerdictRow): Buffer {
  const { round, sequence, amount, key } = attempt;
  const isLive = attempt.verdict === 'accepted';
  writer.start();
  if (length === 0) writer.byte(0);
  else writer.copy(bytes, length);
  writer.varint(round);
  writer.varint(4 + (isLive ? LIVE_CODES.accepted : 0));
  if (isLive) {
    writer.varint(sequence);
    writer.varint(amount);
  }
  writer.u32(keyHash(key));
  writer.varint(sequence);
  return writer.bytes();
}

const LETTERS = 26;
const LETTER_FIRST = 65;

function currencyCode(currency: string): number {
  let code = 0;
  for (let i = 0; i < 3; i++) code = code * LETTERS + currency.charCodeAt(i) - LETTER_FIRST;
  return code;
}

/** The currency of a code as an integer of three characters (`packCurrency`). */
export function packedCurrencyOfCode(code: number): number {
  if (code >= LETTERS ** 3) throw new IndexDamage('investor has no currency');
  const first = Math.floor(code / LETTERS ** 2) + LETTER_FIRST;
  const second = (Math.floor(code / LETTERS) % LETTERS) + LETTER_FIRST;
  return (first << 16) | (second << 8) | ((code % LETTERS) + LETTER_FIRST);
}

const ROW_STATES = ['rejected', 'accepted', 'settled', 'declined'] as const;

/** A verdict's bytes, valid until the next encode of this thread; the same length whatever becomes of it. */
export function encodeRow(row: VerdictRow, outcome: InvestmentOutcome | null): Buffer {
  const state = outcome?.state ?? (row.verdict === 'accepted' ? 'accepted' : 'rejected');
  const reason =
    outcome === null || outcome.reason === null ? 0 : DECLINE_REASONS.indexOf(outcome.reason) + 1;
  writer.start();
  writer.byte(STICKY_VERDICTS.indexOf(row.verdict) | (ROW_STATES.indexOf(state) << 3) | (reason << 5));
  writer.time(row.at);
  writer.time(outcome?.at ?? 0);
  writer.varint(row.round);
  writer.varint(row.amount);
  writer.varint(row.extra);
  writer.byte(row.investor.length);
  writer.text(row.investor);
  writer.text(row.key);
  return writer.bytes();
}

/** Reads the record in `bytes[from, end)`. @throws IndexDamage */
export function decodeRow(sequence: number, bytes: Buffer, from: number, end: number): IndexedRow {
  reader.start(bytes, end, from);
  const head = reader.byte();
  const verdict = STICKY_VERDICTS[head & 7];
  const state = ROW_STATES[(head >>> 3) & 3]!;
  if (verdict === undefined || (verdict === 'accepted') === (state === 'rejected')) {
    throw new IndexDamage(`row ${sequence} has an unknown verdict`);
  }
  const at = reader.time();
  const outcomeAt = reader.time();
  const round = reader.varint();
  const amount = reader.varint();
  const extra = reader.varint();
  const investor = reader.text(reader.byte());
  const key = reader.text(reader.left);
  const told = state === 'settled' || state === 'declined';
  const reason = DECLINE_REASONS[(head >>> 5) - 1] ?? null;
  if ((reason !== null) !== (state === 'declined'))
    throw new IndexDamage(`row ${sequence} has a wrong reason`);
  return {
    kind: 'verdict',
    sequence,
    at,
    round,
    investor,
    key,
    verdict,
    amount,
    extra,
    state,
    reason,
    outcomeAt: told ? outcomeAt : null,
  };
}
