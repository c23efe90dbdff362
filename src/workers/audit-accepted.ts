// Every accepted investment of a journal in 22 bytes, for a comparison with what the ledger holds: columns in sequence
// order, so that an investment is found by a binary search.
//
//   sequences  f64      amounts  f64      investors  u32 (a hash)      rounds  u8
//   states     u8: bits 0-2 what the journal says became of it, bits 3-5 what the ledger says, both as outcome codes:
//                  0 nothing yet, 1 settled, 2.. declined, by reason;  bit 6: the journal learned it late

import { AUDIT_ACCEPTED_MAX } from '../core/limits.js';
import { DECLINE_REASONS, type DeclineReason } from '../core/messages.js';
import type { VerdictRow } from '../core/rows.js';
import { keyHash } from './index-records.js';

const INITIAL_ROWS = 4096;
const CODE_MASK = 7;
const LEDGER_SHIFT = 3;
const LATE = 64;

/** Nothing has become of it yet. */
export const NO_OUTCOME = 0;

export function outcomeCode(state: 'settled' | 'declined', reason: DeclineReason | null): number {
  return state === 'settled'
    ? 1
    : 2 + (reason === null ? DECLINE_REASONS.length : DECLINE_REASONS.indexOf(reason));
}

/** What a code says, for people. */
export function outcomeText(code: number): string {
  if (code === NO_OUTCOME) return 'no outcome';
  return code === 1 ? 'settled' : `declined (${DECLINE_REASONS[code - 2] ?? 'for no reason'})`;
}

/** How an investment stands. */
export interface Standing {
  readonly sequence: number;
  readonly round: number;
  readonly journal: number;
  readonly ledger: number;
  /** The journal learned of the outcome after the ledger had begun to tell its own. */
  readonly late: boolean;
}

export class AcceptedTable {
  readonly #rowsMax: number;
  #sequences = new Float64Array(INITIAL_ROWS);
  #amounts = new Float64Array(INITIAL_ROWS);
  #investors = new Uint32Array(INITIAL_ROWS);
  #rounds = new Uint8Array(INITIAL_ROWS);
  #states = new Uint8Array(INITIAL_ROWS);
  #size = 0;
  #leftOut = 0;

  constructor(rowsMax: number = AUDIT_ACCEPTED_MAX) {
    this.#rowsMax = rowsMax;
  }

  get size(): number {
    return this.#size;
  }

  /** Accepted rows beyond the bound: they are not compared. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Adds an accepted row; rows come in the order of their sequence. */
  add(row: VerdictRow): void {
    if (this.#size >= this.#rowsMax) {
      this.#leftOut += 1;
      return;
    }
    if (this.#size === this.#sequences.length) this.#grow();
    const at = this.#size++;
    this.#sequences[at] = row.sequence;
    this.#amounts[at] = row.amount;
    this.#investors[at] = keyHash(row.investor);
    this.#rounds[at] = row.round;
  }

  /** The place of an accepted row; -1 when that sequence is none. */
  find(sequence: number): number {
    let low = 0;
    let high = this.#size - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#sequences[middle]!;
      if (found === sequence) return middle;
      if (found < sequence) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  amountAt(at: number): number {
    return this.#amounts[at]!;
  }

  roundAt(at: number): number {
    return this.#rounds[at]!;
  }

  isInvestorAt(at: number, investor: string): boolean {
    return this.#investors[at] === keyHash(investor);
  }

  /** What the ledger says of it. */
  ledgerAt(at: number): number {
    return (this.#states[at]! >>> LEDGER_SHIFT) & CODE_MASK;
  }

  /** The journal has its outcome. */
  setJournal(at: number, code: number, late: boolean): void {
    this.#states[at] = (this.#states[at]! & ~CODE_MASK) | code | (late ? LATE : 0);
  }

  /** The ledger has its outcome. */
  setLedger(at: number, code: number): void {
    this.#states[at] = this.#states[at]! | (code << LEDGER_SHIFT);
  }

  /** All of them, in sequence order. */
  *standings(): Generator<Standing> {
    for (let at = 0; at < this.#size; at++) {
      const state = this.#states[at]!;
      yield {
        sequence: this.#sequences[at]!,
        round: this.#rounds[at]!,
        journal: state & CODE_MASK,
        ledger: (state >>> LEDGER_SHIFT) & CODE_MASK,
        late: (state & LATE) !== 0,
      };
    }
  }

  #grow(): void {
    const rows = this.#size * 2;
    const larger = <T extends Float64Array | Uint32Array | Uint8Array>(made: T, old: T): T => {
      made.set(old);
      return made;
    };
    this.#sequences = larger(new Float64Array(rows), this.#sequences);
    this.#amounts = larger(new Float64Array(rows), this.#amounts);
    this.#investors = larger(new Uint32Array(rows), this.#investors);
    this.#rounds = larger(new Uint8Array(rows), this.#rounds);
    this.#states = larger(new Uint8Array(rows), this.#states);
  }
}
