// A clock for tests: time moves only when told, and the wall clock can be stepped apart from the timers.

import type { RoundClock } from './round-timers.js';

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

export class FakeRoundClock implements RoundClock {
  /** What the timers follow. */
  #monotonicMs = 0;
  #wallMs: number;
  readonly #timers = new Set<Timer>();
  longestDelayMs = 0;

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  get armed(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  after(delayMs: number, fire: () => void): () => void {
    this.longestDelayMs = Math.max(this.longestDelayMs, delayMs);
    const timer = { atMs: this.#monotonicMs + delayMs, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Steps the wall clock, as an administrator or NTP does; timers do not notice. */
  stepWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Lets time pass until the wall clock shows `wallMs`, firing what is due in order and letting its work end. */
  async advanceTo(wallMs: number): Promise<void> {
    await this.settle();
    while (this.#wallMs < wallMs) {
      const due = Math.min(...[...this.#timers].map((timer) => timer.atMs));
      this.#advance(Math.min(wallMs - this.#wallMs, Math.max(due - this.#monotonicMs, 0)));
      await this.settle();
    }
  }

  /** Fires what is due now, and lets all that follows from it end. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 40; turns++) {
      await new Promise(setImmediate);
      if (this.#fireDue()) turns = 0;
    }
  }

  #advance(byMs: number): void {
    this.#monotonicMs += byMs;
    this.#wallMs += byMs;
  }

  #fireDue(): boolean {
    const due = [...this.#timers].filter((timer) => timer.atMs <= this.#monotonicMs);
    for (const timer of due) {
      this.#timers.delete(timer);
      timer.fire();
    }
    return due.length > 0;
  }
}
