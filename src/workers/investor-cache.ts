// What a shard knows of its investors: the index's record, and on top of it every row that the index does not hold yet.
//
// The rule that makes this safe: a state leaves memory only when its last row is at or below the index mark, and the
// mark is read before the index's read snapshot is renewed. So a state that is loaded again is never older than the
// one that was let go.

import { SHARD_INVESTORS_CACHED_MAX } from '../core/limits.js';
import { packCurrency } from '../core/request-reader.js';
import type { OutcomeRow, VerdictRow } from '../core/rows.js';
import type { IndexReader } from './index-db.js';

/** Where an investor stands in one round. */
export interface RoundPosition {
  readonly round: number;
  /** Verdicts of this round that stuck to a key, indexed or not. */
  attempts: number;
  /** The live investment: its row if it is recent, else its sequence; 0 for none. */
  liveSequence: number;
  liveRow: VerdictRow | null;
  liveAmount: number;
  /** The ledger has taken the money, so nothing is held for it any more. */
  settled: boolean;
}

export class InvestorState {
  known = false;
  eligible = false;
  /** Cached balance in minor units. */
  balance = 0;
  /** Packed by `packCurrency`; 0 when unknown. */
  currency = 0;
  balanceVersion = 0;
  readonly positions: RoundPosition[] = [];
  /** Rows that may not be indexed yet, oldest first. */
  recent: (VerdictRow | OutcomeRow)[] = [];

  position(round: number): RoundPosition | undefined {
    for (const position of this.positions) if (position.round === round) return position;
    return undefined;
  }

  /** The position in this round, made when there is none. */
  enter(round: number): RoundPosition {
    const found = this.position(round);
    if (found !== undefined) return found;
    const made = { round, attempts: 0, liveSequence: 0, liveRow: null, liveAmount: 0, settled: false };
    this.positions.push(made);
    return made;
  }

  /** What may be spent in a round of this currency: the balance less what live investments hold. */
  available(currency: number): number {
    if (currency !== this.currency) return 0;
    let held = 0;
    for (const position of this.positions) {
      if ((position.liveSequence !== 0 || position.liveRow !== null) && !position.settled)
        held += position.liveAmount;
    }
    return this.balance - held;
  }

  /** True when everything about this investor is in the index at `mark`. */
  indexedAt(mark: number): boolean {
    const last = this.recent[this.recent.length - 1];
    return last === undefined || (last.sequence !== 0 && last.sequence <= mark);
  }

  /** Lets go of the rows that the index holds. */
  prune(mark: number): void {
    let keep = 0;
    while (keep < this.recent.length) {
      const { sequence } = this.recent[keep]!;
      if (sequence === 0 || sequence > mark) break;
      keep++;
    }
    if (keep > 0) this.recent.splice(0, keep);
    for (const position of this.positions) {
      const row = position.liveRow;
      if (row !== null && row.sequence !== 0 && row.sequence <= mark) {
        position.liveSequence = row.sequence;
        position.liveRow = null;
      }
    }
  }
}

/** States looked at before one batch: while the index lags, most of them have to stay, and the batch must not wait. */
const EVICTIONS_PER_BATCH_MAX = 4_096;
/** Past this many recent rows a look-up prunes first, so that one busy investor stays cheap. */
const RECENT_ROWS_BEFORE_PRUNE = 8;

export class InvestorCache {
  readonly #index: IndexReader;
  readonly #states = new Map<string, InvestorState>();
  #mark = 0;
  readonly #sizeMax: number;
  /** Reads that went to the index, for the metrics. */
  indexReads = 0;

  /** @param sizeMax investors kept beside those whose rows are not indexed yet */
  constructor(index: IndexReader, sizeMax: number = SHARD_INVESTORS_CACHED_MAX) {
    this.#index = index;
    this.#sizeMax = sizeMax;
  }

  get size(): number {
    return this.#states.size;
  }

  /**
   * Called before a batch: renews the read snapshot and makes room.
   * @param mark the index mark, read from shared memory just before
   */
  begin(mark: number): void {
    this.#mark = mark;
    this.#index.refresh();
    let excess = Math.min(this.#states.size - this.#sizeMax, EVICTIONS_PER_BATCH_MAX);
    if (excess <= 0) return;
    for (const [investor, state] of this.#states) {
      if (excess-- <= 0) break;
      this.#states.delete(investor);
      // Not indexed yet: it stays, as the youngest.
      if (!state.indexedAt(mark)) this.#states.set(investor, state);
    }
  }

  get(investor: string): InvestorState {
    const found = this.#states.get(investor);
    if (found !== undefined) {
      if (found.recent.length > RECENT_ROWS_BEFORE_PRUNE) found.prune(this.#mark);
      return found;
    }
    const state = this.#load(investor);
    this.#states.set(investor, state);
    return state;
  }

  /** The cached balance of this investor has changed in the index; what the ledger said later wins. */
  refresh(investor: string): void {
    const state = this.#states.get(investor);
    if (state === undefined) return;
    const record = this.#index.getInvestor(investor);
    if (record === undefined || record.balanceVersion < state.balanceVersion) return;
    state.known = record.known;
    state.eligible = record.eligible;
    state.balance = record.balance;
    state.currency = record.currency === '' ? 0 : packCurrency(record.currency);
    state.balanceVersion = record.balanceVersion;
  }

  #load(investor: string): InvestorState {
    this.indexReads++;
    const state = new InvestorState();
    const record = this.#index.getInvestor(investor);
    if (record === undefined) return state;
    state.known = record.known;
    state.eligible = record.eligible;
    state.balance = record.balance;
    state.currency = record.currency === '' ? 0 : packCurrency(record.currency);
    state.balanceVersion = record.balanceVersion;
    for (const { round, attempts, live, liveAmount, liveState } of record.rounds) {
      state.positions.push({
        round,
        attempts,
        liveSequence: live,
        liveRow: null,
        liveAmount,
        settled: liveState === 'settled',
      });
    }
    return state;
  }
}
