// The lease of this node as one word of shared memory: until when it may act as the owner of its rounds.
//
// The main thread raises it at each keepalive that etcd has confirmed, counted from the moment that the keepalive was
// *sent*: however late the confirmation is noticed, the lease lasts longer than the word says. Every other thread only
// reads it, before it decides and again before it answers. A process that was stopped and goes on finds the time past,
// whatever else still waits in its buffers.
//
//   i64   0        nothing is owned yet
//         > 0      owner until then: nanoseconds of the monotonic clock, the same in every thread of the process
//         -1       fenced, for good
//
// The clock is passed in. What has expired once never comes back: whoever read it in between must stay right.

import { assert } from './assert.js';

/** A cache line of its own, so that nobody who writes beside it slows its readers down. */
export const LEASE_WORD_BYTES = 64;

const NOTHING_OWNED = 0n;
const FENCED = -1n;
/** Later than any clock: ownership that does not end while the process lives. */
const FOR_EVER = 2n ** 63n - 1n;
const WORD = 0;

export class LeaseWord {
  readonly #words: BigInt64Array;

  /** @param memory LEASE_WORD_BYTES, zeroed when nothing is owned yet */
  constructor(memory: SharedArrayBuffer) {
    assert(memory.byteLength >= LEASE_WORD_BYTES, 'a lease word needs its cache line');
    this.#words = new BigInt64Array(memory, 0, LEASE_WORD_BYTES / 8);
  }

  /**
   * Owner until `deadlineNs`; an earlier deadline than the one there changes nothing. By the main thread alone.
   * @returns false when the lease had run out before: it is fenced then, and stays so
   */
  raise(deadlineNs: bigint, nowNs: bigint): boolean {
    assert(deadlineNs > 0n, 'a deadline is a time');
    const current = Atomics.load(this.#words, WORD);
    if (current === FENCED) return false;
    if ((current !== NOTHING_OWNED && current <= nowNs) || deadlineNs <= nowNs) {
      this.end();
      return false;
    }
    if (deadlineNs > current) Atomics.store(this.#words, WORD, deadlineNs);
    return true;
  }

  /** Owner for as long as the process lives: where the kernel, and no lease, keeps others out. */
  hold(): void {
    if (Atomics.load(this.#words, WORD) !== FENCED) Atomics.store(this.#words, WORD, FOR_EVER);
  }

  /** No owner any more, for good. */
  end(): void {
    Atomics.store(this.#words, WORD, FENCED);
  }

  /** True when this process may not act as the owner: before the first keepalive, past the last one, or fenced. */
  expired(nowNs: bigint): boolean {
    return Atomics.load(this.#words, WORD) <= nowNs;
  }

  /** Nanoseconds that are left; 0 when it has expired, null when it does not end. */
  leftNs(nowNs: bigint): bigint | null {
    const deadlineNs = Atomics.load(this.#words, WORD);
    if (deadlineNs === FOR_EVER) return null;
    return deadlineNs > nowNs ? deadlineNs - nowNs : 0n;
  }
}
