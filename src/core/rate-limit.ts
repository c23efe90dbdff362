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
  /** 53-bit hashes of investors; two investors share one with a chance of 1 in 10^15, and then a limit. */
  readonly #hashes = new Float64Array(SLOTS);
  /** Theoretical arrival time of the next conforming request, in milliseconds. */
  readonly #expectedMs = new Float64Array(SLOTS);
  size = 0;

  get(hash: number): number | undefined {
    const slot = this.#slot(hash);
    return this.#hashes[slot] === EMPTY ? undefined : this.#expectedMs[slot];
  }

  set(hash: number, expectedMs: number): void {
    const slot = this.#slot(hash);
    if (this.#hashes[slot] === EMPTY) {
      this.#hashes[slot] = hash;
      this.size++;
    }
    this.#expectedMs[slot] = expectedMs;
  }

  clear(): void {
    if (this.size > 0) this.#hashes.fill(EMPTY);
    this.size = 0;
  }

  /** Where `hash` is, or the empty slot where it would be. */
  #slot(hash: number): number {
    let slot = hash & MASK;
    while (this.#hashes[slot] !== EMPTY && this.#hashes[slot] !== hash) slot = (slot + 1) & MASK;
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
   * @param nowMs of a clock that is never set back
   */
  take(investor: string, nowMs: number): number {
    if (this.#current === null || this.#previous === null) return 0;
    if (nowMs - this.#rotatedAtMs >= this.#generationMs || this.#current.size >= RATE_STATES_MAX) {
      const oldest = this.#previous;
      this.#previous = this.#current;
      this.#current = oldest;
      oldest.clear();
      this.#rotatedAtMs = nowMs;
    }
    const hash = hash53(investor);
    const expected = this.#current.get(hash) ?? this.#previous.get(hash) ?? nowMs;
    const from = expected > nowMs ? expected : nowMs;
    const waitMs = from - this.#toleranceMs - nowMs;
    if (waitMs > ROUNDING_MS) return waitMs;
    this.#current.set(hash, from + this.#intervalMs);
    return 0;
  }
}

/** Two FNV-1a hashes of different seeds, the second cut to 21 bits; never 0. */
function hash53(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x5bd1e995);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0) || 1;
}
