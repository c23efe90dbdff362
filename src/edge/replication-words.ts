// What the replicator thread has done, in shared memory: read by the main thread whenever it likes, written by the
// thread alone. Eight-byte words, each an integer that a number holds exactly.

import { wordNumber } from '../core/little-endian.js';

const WORDS = {
  /** Every row up to here is in the store at LOCAL_QUORUM. Never falls. */
  replicated: 0,
  /** The same for the view by investor. */
  investors: 1,
  /** Sums since the start: rows and batches written; writes that failed and were tried again. */
  rows: 2,
  batches: 3,
  retries: 4,
  /** Rows read from the journal and not yet written. */
  rowsInFlight: 5,
  /** When the oldest of them was decided, milliseconds since the epoch; 0: nothing is in flight. */
  oldestAtMs: 6,
  /** Rows and batches written of the view. */
  investorRows: 7,
  investorBatches: 8,
} as const;

const COUNT = Object.keys(WORDS).length;

type Word = keyof typeof WORDS;

export class ReplicationWords {
  readonly memory: SharedArrayBuffer;
  readonly #words: BigInt64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(COUNT * 8)) {
    this.memory = memory;
    this.#words = new BigInt64Array(memory);
  }

  get(word: Word): number {
    return wordNumber(Atomics.load(this.#words, WORDS[word]));
  }

  set(word: Word, value: number): void {
    Atomics.store(this.#words, WORDS[word], BigInt(value));
  }

  add(word: Word, value: number): void {
    Atomics.add(this.#words, WORDS[word], BigInt(value));
  }

  /** Sets it unless it is higher already; one thread writes. */
  raise(word: Word, value: number): void {
    if (value > this.get(word)) this.set(word, value);
  }
}
