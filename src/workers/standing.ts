// Where an investor stands at a decision: the index's record, and on top of it the rows that the index does not hold
// yet. Read anew for every request into one reused object; nothing of an investor is kept but rows and the index.
//
// The index's snapshot is renewed and its mark read in one go (`begin`), and rows up to the mark are let go of: so the
// record and the rows never tell of the same row twice, and never miss one between them.

import type { InvestorName } from '../core/investor.js';
import { getU16, getU53 } from '../core/little-endian.js';
import {
  ELIGIBLE_FLAG,
  OUTCOME_AT,
  OUTCOME_SETTLED_CODE,
  ROW_AT,
  ROW_KIND,
  ROW_TEXT_AT,
  VERDICT_AT,
} from '../core/row-layout.js';
import { VERDICT_CODES } from '../core/rows.js';
import type { Span } from '../core/span.js';
import type { IndexReader } from './index-db.js';
import { IndexedInvestor } from './indexed-investor.js';
import type { RecentRows } from './recent-rows.js';

const NONE = -1;

/** An outcome that the index does not hold yet, by the sequence of its investment. */
interface RecentOutcome {
  readonly investment: number;
  readonly settled: boolean;
}

/** The account as the outcome with the highest version tells it. */
interface ToldAccount {
  readonly version: number;
  readonly round: number;
  readonly balance: number;
  readonly eligible: boolean;
}

export class Standing {
  known = false;
  eligible = false;
  /** Minor units, with its currency (`packCurrency`, 0 when unknown). */
  balance = 0;
  currency = 0;
  /** Sum of live investments that the ledger has not taken the money of yet. */
  held = 0;
  /** In the round asked about: the live investment's sequence (0: none, or in the frame in the making)... */
  liveSequence = 0;
  /** ...and its row number when the index does not hold it yet, or -1. */
  liveRow = NONE;
  /** The row that this key has in the round, or -1: then the index may still know one of `indexedAttempts`. */
  keyRow = NONE;
  indexedAttempts = 0;
  readonly #index: IndexReader;
  readonly #rows: RecentRows;
  /** Packed currency of a round by its number: what an account is of when only the ledger has told of it. */
  readonly #currencyOf: (round: number) => number;
  readonly #record = new IndexedInvestor();
  readonly #outcomes: RecentOutcome[] = [];
  #newestAccount: ToldAccount | null = null;
  /** Reads of the index, for the metrics. */
  indexReads = 0;

  constructor(index: IndexReader, rows: RecentRows, currencyOf: (round: number) => number) {
    this.#index = index;
    this.#rows = rows;
    this.#currencyOf = currencyOf;
  }

  /** Before a batch: renews the snapshot, and lets go of the rows that it holds. */
  begin(): void {
    this.#index.refresh();
    // The mark of this very snapshot: the one in shared memory may be of another moment.
    this.#rows.dropThrough((this.#index.readMark()?.position.nextSequence ?? 1) - 1);
  }

  get live(): boolean {
    return this.liveSequence !== 0 || this.liveRow !== NONE;
  }

  /** What may be spent in a round of this currency. */
  available(currency: number): number {
    return currency === this.currency ? this.balance - this.held : 0;
  }

  /** Reads where this investor stands in `round`, and what `key` has been answered there. */
  read(investor: InvestorName, round: number, key: Span): void {
    const record = this.#record;
    this.#index.readInvestor(investor, record);
    this.indexReads++;
    this.known = record.known;
    this.eligible = record.eligible;
    this.balance = record.balance;
    this.currency = record.currency;
    this.held = 0;
    this.liveSequence = 0;
    this.liveRow = NONE;
    this.keyRow = NONE;
    this.#outcomes.length = 0;
    this.#newestAccount = null;
    const rows = this.#rows;
    // Newest first: an outcome is met before the verdict that it is about.
    for (let row = rows.newest(investor.hash); row !== NONE; row = rows.older(row)) {
      if (!rows.isOf(row, investor)) continue;
      const bytes = rows.bytesOf(row);
      const at = rows.offset(row);
      if (bytes[at + ROW_AT.kind] === ROW_KIND.outcome) this.#takeOutcome(bytes, at);
      else this.#takeVerdict(row, bytes, at, round, key);
    }
    this.#takeRecord(round);
  }

  #takeOutcome(bytes: Buffer, at: number): void {
    const settled = bytes[at + ROW_AT.code] === OUTCOME_SETTLED_CODE;
    this.#outcomes.push({ investment: getU53(bytes, at + OUTCOME_AT.investment), settled });
    const version = getU53(bytes, at + OUTCOME_AT.balanceVersion);
    if (version === 0 || version <= (this.#newestAccount?.version ?? 0)) return;
    const round = getU16(bytes, at + ROW_AT.round);
    this.#newestAccount = {
      version,
      round,
      balance: getU53(bytes, at + OUTCOME_AT.balance),
      eligible: bytes[at + OUTCOME_AT.flags] === ELIGIBLE_FLAG,
    };
  }

  #takeVerdict(row: number, bytes: Buffer, at: number, round: number, key: Span): void {
    const isOfRound = getU16(bytes, at + ROW_AT.round) === round;
    if (isOfRound && this.keyRow === NONE) {
      const keyAt = at + ROW_TEXT_AT.verdict + bytes[at + ROW_AT.investorBytes]!;
      if (key.equals(bytes, keyAt, keyAt + bytes[at + VERDICT_AT.keyBytes]!)) this.keyRow = row;
    }
    if (bytes[at + ROW_AT.code] !== VERDICT_CODES.accepted) return;
    const sequence = this.#rows.sequence(row);
    const outcome = this.#outcomeOf(sequence);
    if (outcome === undefined) this.held += getU53(bytes, at + VERDICT_AT.amount);
    else if (!outcome.settled) return;
    if (!isOfRound) return;
    this.liveRow = row;
    this.liveSequence = sequence;
  }

  /** What the index knows, as far as no later row says otherwise. */
  #takeRecord(round: number): void {
    const record = this.#record;
    this.indexedAttempts = 0;
    for (let part = 0; part < record.parts; part++) {
      const isOfRound = record.rounds[part] === round;
      if (isOfRound) this.indexedAttempts = record.attempts[part]!;
      const live = record.live[part]!;
      if (live === 0) continue;
      const outcome = this.#outcomeOf(live);
      if (outcome === undefined && record.settled[part] === 0) this.held += record.liveAmounts[part]!;
      if (isOfRound && outcome?.settled !== false) this.liveSequence = live;
    }
    const told = this.#newestAccount;
    // A decline makes no entry, so its version may be one that is known: it still tells better than an import.
    if (told === null || told.version < record.balanceVersion) return;
    // As the index does: the account is of the round's currency, unless an import has told better.
    if (!record.known) this.currency = this.#currencyOf(told.round);
    this.known = true;
    this.eligible = told.eligible;
    this.balance = told.balance;
  }

  #outcomeOf(investment: number): RecentOutcome | undefined {
    for (const outcome of this.#outcomes) if (outcome.investment === investment) return outcome;
    return undefined;
  }
}
