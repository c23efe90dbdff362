// The ledger's pace: a token bucket. It holds little more than one token, because the bank behind it must not feel
// the rush even as a burst.

import { LEDGER_BURST_MS } from '../core/limits.js';

export class TokenBucket {
  readonly #ratePerMs: number;
  readonly #capacity: number;
  readonly #monotonicMs: () => number;
  #tokens: number;
  #filledAtMs: number;

  /** @param ratePerS 0: no limit */
  constructor(ratePerS: number, monotonicMs: () => number) {
    this.#ratePerMs = ratePerS / 1000;
    this.#capacity = Math.max(1, this.#ratePerMs * LEDGER_BURST_MS);
    this.#monotonicMs = monotonicMs;
    this.#tokens = this.#capacity;
    this.#filledAtMs = monotonicMs();
  }

  /** Takes as many whole tokens as there are, at most `wanted`. */
  take(wanted: number): number {
    if (this.#ratePerMs === 0) return wanted;
    this.#fill();
    const granted = Math.min(wanted, Math.floor(this.#tokens));
    this.#tokens -= granted;
    return granted;
  }

  /** Gives back tokens for work that turned out to be done already. */
  giveBack(count: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + count);
  }

  /** Milliseconds until there is a token. */
  waitMs(): number {
    if (this.#ratePerMs === 0) return 0;
    this.#fill();
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#ratePerMs;
  }

  #fill(): void {
    const nowMs = this.#monotonicMs();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#filledAtMs) * this.#ratePerMs);
    this.#filledAtMs = nowMs;
  }
}
