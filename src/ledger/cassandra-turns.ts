// Changes of the books in Cassandra take turns. One that Cassandra keeps from being made is tried again until its
// deadline and then answered with "try again later"; anything else that goes wrong ends the store for good.

import { LEDGER_RETRY_MIN_MS, LEDGER_TURNS_WAITING_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { isAway } from './cassandra-cql.js';
import type { StoreFailure } from './store.js';
import { storeFailure } from './store-failure.js';

/** It cannot be done now, though every request was answered. */
export class AwayError extends Error {
  override readonly name = 'AwayError';
}

const RETRY_MAX_MS = 1_000;

export class Turns {
  /** Resolves when nothing may be changed any more. */
  readonly failed: Promise<StoreFailure>;
  #reportFailure: ((failure: StoreFailure) => void) | null = null;
  readonly #deadlineMs: number;
  #failure: unknown = null;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /** @param deadlineMs how long a change or a reading may take, its wait included */
  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
    this.failed = new Promise((resolve) => {
      this.#reportFailure = resolve;
    });
  }

  /** Runs `work` when those before it are done, again and again if need be; rejects when the store has failed. */
  run<T>(work: (deadlineMs: number) => Promise<T>): Promise<Result<T, StoreFailure>> {
    const deadlineMs = performance.now() + this.#deadlineMs;
    if (this.#waiting >= LEDGER_TURNS_WAITING_MAX)
      return Promise.resolve(err(away('too much waits for its turn')));
    this.#waiting++;
    const turn = this.#last.then(() => this.#tried(work, deadlineMs));
    this.#last = turn.then(
      () => this.#waiting--,
      () => this.#waiting--,
    );
    return turn;
  }

  /** A reading that waits for nobody's turn and is tried once. */
  async read<T>(work: (deadlineMs: number) => Promise<T>): Promise<Result<T, StoreFailure>> {
    if (this.#failure !== null) throw this.#failure;
    try {
      return ok(await work(performance.now() + this.#deadlineMs));
    } catch (error) {
      if (isForNow(error)) return err(away((error as Error).message));
      throw this.fail(error);
    }
  }

  /** Ends the store for good; answers what every later call will throw. */
  fail(error: unknown): unknown {
    this.#failure ??= error;
    this.#reportFailure?.(storeFailure(this.#failure));
    return this.#failure;
  }

  /** Nothing is tried again; what has its turn is waited for. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  async #tried<T>(
    work: (deadlineMs: number) => Promise<T>,
    deadlineMs: number,
  ): Promise<Result<T, StoreFailure>> {
    let retryMs = LEDGER_RETRY_MIN_MS;
    // Ends at the deadline.
    for (let problem = 'nothing was tried'; ; retryMs = Math.min(RETRY_MAX_MS, retryMs * 2)) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#closed || performance.now() >= deadlineMs) return err(away(problem));
      try {
        return ok(await work(deadlineMs));
      } catch (error) {
        if (!isForNow(error)) throw this.fail(error);
        problem = (error as Error).message;
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

const isForNow = (error: unknown): boolean => error instanceof AwayError || isAway(error);

const away = (problem: string): StoreFailure => ({
  message: `Cassandra is away: ${problem}`,
  isFatal: false,
  isFenced: false,
});
