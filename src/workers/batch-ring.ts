// Shared memory between the front end and one admission shard: batches of requests go in, their answers come back in
// the same slot. Nothing is cloned, transferred or allocated for a batch, and each side wakes the other once.
//
//   words    line 0  i32 wake: raised at every change that the shard must see; it sleeps on this
//            line 1  i32 published: batches handed over since the start     written by the front end
//            line 2  i32 answered: batches answered since the start         written by the shard; the front end waits on it
//   slots    SHARD_SLABS heads of 64 bytes, batch n in slot n modulo SHARD_SLABS:
//            i32 request bytes │ i32 requests │ i32 answer bytes │ i32 flags │ f64 published at, ns │ f64 durable sequence
//   slabs    of each slot BATCH_BYTES_MAX of requests, then ANSWER_BYTES_MAX of answers (layouts: protocol.ts)
//
// Order of publication: the slab, its head, then the word that counts it (Atomics.store), then the notification. So
// whoever sees a batch counted finds it whole. A slot is filled anew only when its answers have been taken. Counts are
// unsigned and wrap at 2^32: they are compared for equality, or by their difference (`batchesBetween`).

import { ANSWER_BYTES_MAX, BATCH_BYTES_MAX, SHARD_SLABS } from '../core/limits.js';

const WAKE = 0;
const PUBLISHED = 16;
const ANSWERED = 32;
const HEADS_AT = 256;
const HEAD_BYTES = 64;
const SLABS_AT = HEADS_AT + SHARD_SLABS * HEAD_BYTES;
const SLAB_BYTES = BATCH_BYTES_MAX + ANSWER_BYTES_MAX;
const [REQUEST_BYTES, REQUESTS, ANSWER_BYTES, FLAGS] = [0, 1, 2, 3];
const [PUBLISHED_NS, DURABLE] = [2, 3];

/** What became of a batch. */
export const BATCH_FLAG = {
  /** The journal has failed: nothing of this batch may be believed. */
  failed: 1,
  /** The answers did not fit; they come as a message of their own. */
  overflow: 2,
} as const;

/** Bytes of shared memory of one ring. */
export const BATCH_RING_BYTES = SLABS_AT + SHARD_SLABS * SLAB_BYTES;

export class BatchRing {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #requests: readonly Buffer[];
  readonly #answers: readonly Buffer[];

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, SLABS_AT / 4);
    this.#doubles = new Float64Array(memory, 0, SLABS_AT / 8);
    const slots = Array.from({ length: SHARD_SLABS }, (_, slot) => SLABS_AT + slot * SLAB_BYTES);
    this.#requests = slots.map((at) => Buffer.from(memory, at, BATCH_BYTES_MAX));
    this.#answers = slots.map((at) => Buffer.from(memory, at + BATCH_BYTES_MAX, ANSWER_BYTES_MAX));
  }

  /** Where the requests, and the answers, of batch `n` are. */
  requests(batch: number): Buffer {
    return this.#requests[batch % SHARD_SLABS]!;
  }

  answers(batch: number): Buffer {
    return this.#answers[batch % SHARD_SLABS]!;
  }

  requestBytes(batch: number): number {
    return this.#words[headWord(batch) + REQUEST_BYTES]!;
  }

  requestCount(batch: number): number {
    return this.#words[headWord(batch) + REQUESTS]!;
  }

  answerBytes(batch: number): number {
    return this.#words[headWord(batch) + ANSWER_BYTES]!;
  }

  flags(batch: number): number {
    return this.#words[headWord(batch) + FLAGS]!;
  }

  /** Nanoseconds of `process.hrtime` at which the batch was handed over. */
  publishedNs(batch: number): number {
    return this.#doubles[headWord(batch) / 2 + PUBLISHED_NS]!;
  }

  /** The sequence up to which the journal must be kept for the answers of this batch to be true. */
  durableSequence(batch: number): number {
    return this.#doubles[headWord(batch) / 2 + DURABLE]!;
  }

  get published(): number {
    return Atomics.load(this.#words, PUBLISHED) >>> 0;
  }

  get answered(): number {
    return Atomics.load(this.#words, ANSWERED) >>> 0;
  }

  /** Front end: hands batch `published` over. Wake the shard after it. */
  publish(bytes: number, requests: number, nowNs: number): void {
    const batch = this.published;
    const head = headWord(batch);
    this.#words[head + REQUEST_BYTES] = bytes;
    this.#words[head + REQUESTS] = requests;
    this.#doubles[head / 2 + PUBLISHED_NS] = nowNs;
    Atomics.store(this.#words, PUBLISHED, batch + 1);
  }

  /** Front end: has the shard look again. */
  wake(): void {
    Atomics.add(this.#words, WAKE, 1);
    Atomics.notify(this.#words, WAKE);
  }

  /** Front end: resolves when more than `seen` batches have been answered. */
  async answeredBeyond(seen: number): Promise<void> {
    while (this.answered === seen) {
      const waiting = Atomics.waitAsync(this.#words, ANSWERED, seen | 0);
      if (waiting.async) await waiting.value;
    }
  }

  /** Shard: what `sleep` compares with; read before looking for work. */
  get wakes(): number {
    return Atomics.load(this.#words, WAKE);
  }

  /** Shard: sleeps until it is woken after `wakes` was read, or for so long: false when nobody woke it. */
  sleep(wakes: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#words, WAKE, wakes, timeoutMs) !== 'timed-out';
  }

  /** Shard: answers batch `answered`. */
  answer(bytes: number, flags: number, durableSequence: number): void {
    const batch = this.answered;
    const head = headWord(batch);
    this.#words[head + ANSWER_BYTES] = bytes;
    this.#words[head + FLAGS] = flags;
    this.#doubles[head / 2 + DURABLE] = durableSequence;
    Atomics.store(this.#words, ANSWERED, batch + 1);
    Atomics.notify(this.#words, ANSWERED);
  }
}

/** How many batches there are from `first` to `end`, counts that may have wrapped. */
export function batchesBetween(first: number, end: number): number {
  return (end - first) >>> 0;
}

function headWord(batch: number): number {
  return (HEADS_AT + (batch % SHARD_SLABS) * HEAD_BYTES) / 4;
}
