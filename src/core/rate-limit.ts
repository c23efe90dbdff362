// Requests per investor: the generic cell rate algorithm (ITU-T I.371), one number per investor.
//
// An investor who has been quiet for burst/rate seconds is exactly like one never seen, so states live in two
// generations of that length and the older one is dropped whole: bounded memory without a scan. A generation is an open
// hash table in two flat arrays, for in a rush every request brings a new investor, and a Map would be all garbage.

import { assert } from './assert.js';
import { RATE_STATES_MAX } from './limits.js';

/** Slots of a table: a power of two, at most half full, so that probing is short and ends. */
const SLOTS = 2 * RATE_STATES_MAX;
const MASK = SLOTS - 1;
const EMPTY = 0;
/** Sums of intervals are rounded; a thousandth of a millisecond is nobody's wait. */
const ROUNDING_MS = 1e-3;

assert((SLOTS & MASK) === 0, 'RATE_STATES_MAX must be a power of two');

class Generation {
  /**
   * Slots of two numbers, side by side so that a look-up touches one cache line: the 53-bit hash of an investor (two
   * share one with a chance of 1 in 10^15, and then a limit), and the theoretical arrival time of their next
   * conforming request, in milliseconds.
   */
  readonly #slots = new Float64Array(2 * SLOTS);
  size = 0;

  get(hash: number): number | undefined {
    const slot = this.#slot(hash);
    return this.#slots[slot] === EMPTY ? undefined : this.#slots[slot + 1];
  }

  set(hash: number, expectedMs: number): void {
    const slot = this.#slot(hash);
    if (this.#slots[slot] === EMPTY) {
      this.#slots[slot] = hash;
      this.size++;
    }
    this.#slots[slot + 1] = expectedMs;
  }

  clear(): void {
    if (this.size > 0) this.#slots.fill(EMPTY);
    this.size = 0;
  }

  /** Where `hash` is, or the empty slot where it would be. */
  #slot(hash: number): number {
    const slots = this.#slots;
    let slot = 2 * (hash & MASK);
    while (slots[slot] !== EMPTY && slots[slot] !== hash) slot = (slot + 2) & (2 * SLOTS - 1);
    return slot;
  }
}

export class RateLimiter {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  readonly #generationMs: number;
  #current: Generation | null = null;
  #previous: Generation | null = null;
  #rotatedAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param perSecond sustained requests a second; 0 means no limit
   * @param burst requests that may come at once
   */
  constructor(perSecond: number, burst: number) {
    this.#intervalMs = perSecond > 0 ? 1000 / perSecond : 0;
    this.#toleranceMs = this.#intervalMs * Math.max(0, burst - 1);
    this.#generationMs = this.#toleranceMs + this.#intervalMs;
    if (this.#intervalMs === 0) return;
    this.#current = new Generation();
    this.#previous = new Generation();
  }

  /**
   * 0 when the request conforms, else the milliseconds until one would.
   * @param hash of the investor: InvestorName.hash53
   * @param nowMs of a clock that is never set back
   */
  take(hash: number, nowMs: number): number {
    if (this.#current === null || this.#previous === null) return 0;
    if (nowMs - this.#rotatedAtMs >= this.#generationMs || this.#current.size >= RATE_STATES_MAX) {
      const oldest = this.#previous;
      this.#previous = this.#current;
      this.#current = oldest;
      oldest.clear();
      this.#rotatedAtMs = nowMs;
    }
    const expected = this.#current.get(hash) ?? this.#previous.get(hash) ?? nowMs;
    const from = expected > nowMs ? expected : nowMs;
    const waitMs = from - this.#toleranceMs - nowMs;
    if (waitMs > ROUNDING_MS) return waitMs;
    this.#current.set(hash, from + this.#intervalMs);
    return 0;
  }
}
