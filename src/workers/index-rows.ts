// The index's rows: BLOCK_ROWS sequences share one entry of LMDB, because an entry costs the same whatever it holds.
//
//   block   per sequence, from the block's first one up to the newest: u8 length, record (index-records.ts)
//           length 0: no verdict has this sequence
//
// Blocks are appended, so their pages stay full; an outcome changes a record without changing its length.

import { assert } from '../core/assert.js';
import type { InvestmentOutcome } from '../core/investment-view.js';
import type { VerdictRow } from '../core/rows.js';
import { IndexDamage } from './index-damage.js';
import type { IndexDb } from './index-db.js';
import { decodeRow, encodeRow, type IndexedRow } from './index-records.js';

/** Sequences of a block. Part of the format. */
export const BLOCK_ROWS = 8;
const RECORD_BYTES_MAX = 255;
const APPEND = { append: true } as const;
const NO_BYTES = Buffer.alloc(0);

/** The block that a sequence is in; sequences start at 1. */
export const blockOf = (sequence: number): number => Math.floor((sequence - 1) / BLOCK_ROWS);

const slotOf = (sequence: number): number => (sequence - 1) % BLOCK_ROWS;

/** Where the record of a sequence is in its block: the offset of its length, or -1 when the block ends before it. */
export function recordAt(block: Buffer, length: number, sequence: number): number {
  let at = 0;
  for (let slot = slotOf(sequence); slot > 0 && at < length; slot--) at += 1 + block[at]!;
  return at < length ? at : -1;
}

/** The sequences that a block holds something about. */
export function sequencesOf(block: Buffer, key: number): number[] {
  const sequences: number[] = [];
  let sequence = key * BLOCK_ROWS + 1;
  for (let at = 0; at < block.length; at += 1 + block[at]!, sequence++) {
    if (block[at]! > 0) sequences.push(sequence);
  }
  return sequences;
}

/** The rows of one batch on their way into the index, inside its transaction. */
export class RowBlocks {
  readonly #db: IndexDb;
  readonly #open = Buffer.allocUnsafeSlow(BLOCK_ROWS * (1 + RECORD_BYTES_MAX));
  #bytes = 0;
  #next: number;
  /** The open block is in the table already. */
  #isStored: boolean;

  /**
   * @param next the sequence of the first row to come
   * @throws IndexDamage when the index holds more or less than the rows before it
   */
  constructor(db: IndexDb, next: number) {
    this.#db = db;
    this.#next = next;
    this.#isStored = slotOf(next) > 0;
    if (!this.#isStored) return;
    const stored = db.rows.get(blockOf(next)) ?? NO_BYTES;
    if (recordAt(stored, stored.length, next) >= 0) throw isThereAlready(next);
    if (recordAt(stored, stored.length, next - 1) < 0) throw new IndexDamage(`row ${next - 1} is missing`);
    this.#bytes = stored.length;
    this.#open.set(stored);
  }

  /** Puts the next sequence behind the others; null: it is no verdict. */
  append(row: VerdictRow | null): void {
    const record = row === null ? NO_BYTES : encodeRow(row, null);
    assert(record.length <= RECORD_BYTES_MAX, 'the length of a record has one byte');
    this.#open[this.#bytes] = record.length;
    this.#open.set(record, this.#bytes + 1);
    this.#bytes += 1 + record.length;
    this.#next++;
    if (slotOf(this.#next) === 0) this.#write();
  }

  /** The verdict of this sequence, rows of this batch included; undefined when it is none. */
  read(sequence: number): IndexedRow | undefined {
    if (!this.#isOpen(sequence)) return this.#db.rowAt(sequence);
    return rowIn(this.#open, this.#bytes, sequence);
  }

  /** Tells what became of a verdict that `read` gave. */
  settle(verdict: IndexedRow, outcome: InvestmentOutcome): void {
    const { sequence } = verdict;
    if (this.#isOpen(sequence)) {
      overwrite(this.#open, this.#bytes, sequence, encodeRow(verdict, outcome));
      return;
    }
    const key = blockOf(sequence);
    const block = this.#db.rows.get(key) ?? NO_BYTES;
    overwrite(block, block.length, sequence, encodeRow(verdict, outcome));
    this.#db.rows.putSync(key, block);
  }

  /** Writes the block that is not full yet. */
  finish(): void {
    if (this.#bytes > 0) this.#write();
  }

  #isOpen(sequence: number): boolean {
    return this.#bytes > 0 && blockOf(sequence) === blockOf(this.#next);
  }

  #write(): void {
    const first = blockOf(this.#next - 1);
    const block = this.#open.subarray(0, this.#bytes);
    if (this.#isStored) this.#db.rows.putSync(first, block);
    else {
      // The types say void; inside a transaction it is whether the entry was written.
      const written: unknown = this.#db.rows.putSync(first, block, APPEND as never);
      if (written !== true) throw isThereAlready(this.#next - 1);
    }
    this.#isStored = false;
    this.#bytes = 0;
  }
}

/** There is a later one: the index is not what its mark says. */
function isThereAlready(sequence: number): IndexDamage {
  return new IndexDamage(`row ${sequence} is in the index already, beyond its mark`);
}

function overwrite(block: Buffer, length: number, sequence: number, record: Buffer): void {
  const at = recordAt(block, length, sequence);
  if (at < 0 || block[at] !== record.length) throw new IndexDamage(`row ${sequence} is missing`);
  block.set(record, at + 1);
}

/** The verdict of a sequence in its block; undefined when it is none. */
export function rowIn(block: Buffer, length: number, sequence: number): IndexedRow | undefined {
  const at = recordAt(block, length, sequence);
  if (at < 0 || block[at] === 0) return undefined;
  return decodeRow(sequence, block, at + 1, at + 1 + block[at]!);
}
