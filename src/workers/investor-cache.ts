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

// Most investors come once: an array is made when there is something to put in, and of that size.
const NO_ROWS: readonly (VerdictRow | OutcomeRow)[] = [];
const NO_POSITIONS: readonly RoundPosition[] = [];

export class InvestorState {
  known = false;
  eligible = false;
  /** Cached balance in minor units. */
  balance = 0;
  /** Packed by `packCurrency`; 0 when unknown. */
  currency = 0;
  balanceVersion = 0;
  positions: readonly RoundPosition[] = NO_POSITIONS;
  /** Rows that may not be indexed yet, oldest first. */
  recent: readonly (VerdictRow | OutcomeRow)[] = NO_ROWS;

  position(round: number): RoundPosition | undefined {
    for (const position of this.positions) if (position.round === round) return position;
    return undefined;
  }

  /** The position in this round, made when there is none. */
  enter(round: number): RoundPosition {
    const found = this.position(round);
    if (found !== undefined) return found;
    const made = { round, attempts: 0, liveSequence: 0, liveRow: null, liveAmount: 0, settled: false };
    this.positions = [...this.positions, made];
    return made;
  }

  /** Takes in a row that the index does not hold yet. */
  remember(row: VerdictRow | OutcomeRow): void {
    this.recent = this.recent.length === 0 ? [row] : [...this.recent, row];
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
    if (keep > 0) this.recent = this.recent.slice(keep);
    for (const position of this.positions) {
      const row = position.liveRow;
      if (row !== null && row.sequence !== 0 && row.sequence <= mark) {
        position.liveSequence = row.sequence;
        position.liveRow = null;
      }
    }
  }
}

/** Past this many recent rows a look-up prunes first, so that one busy investor stays cheap. */
const RECENT_ROWS_BEFORE_PRUNE = 8;

export class InvestorCache {
  readonly #index: IndexReader;
  /** Two generations: what is asked for moves to the young one, and the old one is let go whole. */
  #young = new Map<string, InvestorState>();
  #old = new Map<string, InvestorState>();
  readonly #generationMax: number;
  #rotateAbove: number;
  #mark = 0;
  /** Reads that went to the index, for the metrics. */
  indexReads = 0;

  /** @param sizeMax investors kept beside those whose rows are not indexed yet */
  constructor(index: IndexReader, sizeMax: number = SHARD_INVESTORS_CACHED_MAX) {
    this.#index = index;
    this.#generationMax = sizeMax >>> 1;
    this.#rotateAbove = this.#generationMax;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * Called before a batch: renews the read snapshot and makes room.
   * @param mark the index mark, read from shared memory just before
   */
  begin(mark: number): void {
    this.#mark = mark;
    this.#index.refresh();
    if (this.#young.size <= this.#rotateAbove) return;
    const kept = new Map<string, InvestorState>();
    for (const [investor, state] of this.#old) if (!state.indexedAt(mark)) kept.set(investor, state);
    this.#old = this.#young;
    this.#young = kept;
    // While the index lags most of them stay: the next scan comes when as many again have come, so it is paid for.
    this.#rotateAbove = Math.max(this.#generationMax, 2 * kept.size);
  }

  get(investor: string): InvestorState {
    const found = this.#find(investor);
    if (found !== undefined) {
      if (found.recent.length > RECENT_ROWS_BEFORE_PRUNE) found.prune(this.#mark);
      return found;
    }
    const state = this.#load(investor);
    this.#young.set(investor, state);
    return state;
  }

  /** The cached balance of this investor has changed in the index; what the ledger said later wins. */
  refresh(investor: string): void {
    const state = this.#find(investor);
    if (state === undefined) return;
    const record = this.#index.getInvestor(investor);
    if (record === undefined || record.balanceVersion < state.balanceVersion) return;
    state.known = record.known;
    state.eligible = record.eligible;
    state.balance = record.balance;
    state.currency = record.currency === '' ? 0 : packCurrency(record.currency);
    state.balanceVersion = record.balanceVersion;
  }

  #find(investor: string): InvestorState | undefined {
    const young = this.#young.get(investor);
    if (young !== undefined) return young;
    const old = this.#old.get(investor);
    if (old !== undefined) this.#young.set(investor, old);
    return old;
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
    state.positions = record.rounds.map(({ round, attempts, live, liveAmount, liveState }) => ({
      round,
      attempts,
      liveSequence: live,
      liveRow: null,
      liveAmount,
      settled: liveState === 'settled',
    }));
    return state;
  }
}
