// The front end's side of the indexer: a one-thread piscina pool, one task at a time, and the loop that follows the
// journal.

import type { Piscina } from 'piscina';
import {
  INDEX_BATCH_ROWS_MAX,
  INDEX_FOLLOW_MS,
  INDEX_LAG_ROWS_MAX,
  INDEX_RUSH_LAG_ROWS,
  INDEX_RUSH_ROWS_PER_TICK,
  INDEX_WAIT_TICKS,
} from '../core/limits.js';
import { err } from '../core/result.js';
import type {
  IndexerFailure,
  IndexerOptions,
  IndexerResult,
  IndexerTask,
} from '../workers/indexer-protocol.js';
import { oneThreadPool } from './one-thread-pool.js';

export class IndexerClient {
  readonly #pool: Piscina;
  readonly #onFailure: (failure: IndexerFailure) => void;
  #last: Promise<unknown> = Promise.resolve();
  #failed = false;

  /** @param onFailure called once: the index can no longer follow, so admission has to stop in order */
  constructor(options: IndexerOptions, onFailure: (failure: IndexerFailure) => void) {
    this.#onFailure = onFailure;
    this.#pool = oneThreadPool({
      worker: 'indexer',
      workerData: options,
      concurrentTasks: 1,
      onError: (error) => this.#fail({ code: 'index-failed', message: String(error) }),
    });
  }

  /** Runs a task after those before it. That the index cannot follow, or its thread has died, is reported once as well. */
  run<T extends IndexerTask>(task: T): Promise<IndexerResult<T>> {
    const result = this.#last.then(() => this.#runNow(task));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #runNow<T extends IndexerTask>(task: T): Promise<IndexerResult<T>> {
    try {
      const result = (await this.#pool.run(task)) as IndexerResult<T>;
      // What else fails is its caller's to tell; if it ends the indexer, the next catch-up says so.
      if (!result.ok && task.kind === 'catch-up') this.#fail(result.error);
      return result;
    } catch (error) {
      const failure: IndexerFailure = {
        code: 'index-failed',
        message: `the indexer has died: ${String(error)}`,
      };
      this.#fail(failure);
      return err(failure) as IndexerResult<T>;
    }
  }

  /** Ends the thread; `close` must have been run before. */
  async end(): Promise<void> {
    await this.#pool.destroy();
  }

  #fail(failure: IndexerFailure): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#onFailure(failure);
  }
}

export interface FollowerModules {
  readonly indexer: IndexerClient;
  /** Newest synced sequence, and the newest that is indexed. */
  readonly durable: () => number;
  readonly indexed: () => number;
  /** The index lags more, or no longer more, than admission may run ahead of it. */
  readonly onLag: (tooFar: boolean) => void;
}

/**
 * Has the indexer catch up: at once when no more rows come, else after INDEX_WAIT_TICKS. In the thick of a rush, at
 * INDEX_RUSH_ROWS_PER_TICK and more, it waits until INDEX_RUSH_LAG_ROWS: what the index costs is then paid when the
 * node has time for it, and in large commits, which cost less. The rows are on the disk and in the shards' memory.
 */
export class IndexFollower {
  readonly #modules: FollowerModules;
  #timer: NodeJS.Timeout | null = null;
  #running = false;
  #tooFar = false;
  #seen = 0;
  #waitedTicks = 0;

  constructor(modules: FollowerModules) {
    this.#modules = modules;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#follow(), INDEX_FOLLOW_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async #follow(): Promise<void> {
    const { indexer, durable, indexed, onLag } = this.#modules;
    const tooFar = durable() - indexed() > INDEX_LAG_ROWS_MAX;
    if (tooFar !== this.#tooFar) {
      this.#tooFar = tooFar;
      onLag(tooFar);
    }
    const behind = durable() - indexed();
    const fresh = durable() - this.#seen;
    this.#seen = durable();
    if (this.#running || behind <= 0) return;
    this.#waitedTicks++;
    const mayWait =
      fresh >= INDEX_RUSH_ROWS_PER_TICK
        ? behind < INDEX_RUSH_LAG_ROWS
        : fresh > 0 && behind < INDEX_BATCH_ROWS_MAX && this.#waitedTicks < INDEX_WAIT_TICKS;
    if (mayWait) return;
    this.#waitedTicks = 0;
    this.#running = true;
    await indexer.run({ kind: 'catch-up' });
    this.#running = false;
  }
}
