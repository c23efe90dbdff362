// The index's outbox: which accepted verdicts have no outcome yet, a bit for each sequence.
//
//   entry   OUTBOX_SPAN / 8 bytes; the bit of a sequence is set while its outcome is awaited
//           an entry without a bit is not there
//
// In a rush the bits of a whole batch are in a few entries, and when all is settled nothing is left.

import { IndexDamage } from './index-damage.js';
import type { IndexDb } from './index-db.js';

/** Sequences of an entry. Part of the format. */
export const OUTBOX_SPAN = 4_096;
const ENTRY_BYTES = OUTBOX_SPAN / 8;

/** The entry that a sequence is in; sequences start at 1. */
export const entryOf = (sequence: number): number => Math.floor((sequence - 1) / OUTBOX_SPAN);

/** The sequences of an entry that are above `after`, ascending. */
export function* openSequences(entry: Buffer, key: number, after: number): Generator<number, void> {
  const first = key * OUTBOX_SPAN + 1;
  for (let at = Math.max(0, after - first + 1) >>> 3; at < entry.length; at++) {
    for (let bits = entry[at]!, bit = 0; bits !== 0; bits >>>= 1, bit++) {
      const sequence = first + at * 8 + bit;
      if ((bits & 1) !== 0 && sequence > after) yield sequence;
    }
  }
}

/** How many sequences of an entry are open. */
export function countOpen(entry: Buffer): number {
  let count = 0;
  for (const byte of entry) for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}

/** The changes of one batch, inside its transaction. */
export class OutboxEntries {
  readonly #db: IndexDb;
  readonly #changed = new Map<number, Buffer>();

  constructor(db: IndexDb) {
    this.#db = db;
  }

  /** Awaits the outcome of this sequence. */
  open(sequence: number): void {
    this.#flip(sequence, true);
  }

  /** The outcome is there. */
  close(sequence: number): void {
    this.#flip(sequence, false);
  }

  /** Writes what has changed. */
  finish(): void {
    const { outbox } = this.#db;
    for (const [key, entry] of [...this.#changed].sort(([a], [b]) => a - b)) {
      if (entry.some((byte) => byte !== 0)) outbox.putSync(key, entry);
      else outbox.removeSync(key);
    }
  }

  #flip(sequence: number, isOpen: boolean): void {
    const entry = this.#entry(entryOf(sequence));
    const place = (sequence - 1) % OUTBOX_SPAN;
    const at = place >>> 3;
    const bit = 1 << (place & 7);
    if (((entry[at]! & bit) !== 0) === isOpen)
      throw new IndexDamage(`row ${sequence} is ${isOpen ? 'already' : 'not'} in the outbox`);
    entry[at]! ^= bit;
  }

  #entry(key: number): Buffer {
    let entry = this.#changed.get(key);
    if (entry === undefined) {
      entry = this.#db.outbox.get(key) ?? Buffer.alloc(ENTRY_BYTES);
      this.#changed.set(key, entry);
    }
    return entry;
  }
}
