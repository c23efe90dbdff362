// The front end's side of the upkeep thread: a one-thread piscina pool, one task at a time.

import type { Logger } from 'pino';
import type { Piscina } from 'piscina';
import type { Lineage } from '../core/ids.js';
import { UPKEEP_RETRY_MS } from '../core/limits.js';
import type { UpkeepAnswer, UpkeepOptions, UpkeepTask } from '../workers/upkeep-protocol.js';
import { monotonicMs } from './clocks.js';
import { oneThreadPool } from './one-thread-pool.js';

export interface UpkeepClientOptions {
  readonly journalDir: string;
  readonly indexDir: string;
  readonly segmentBytes: number;
  readonly lineage: Lineage;
  /** Shared memory: workers/journal-head.ts. */
  readonly headMemory: SharedArrayBuffer;
  readonly logger: Logger;
}

export class UpkeepClient {
  readonly #pool: Piscina;
  readonly #logger: Logger;
  #isAllocating = false;
  #notBeforeMs = 0;
  #closed = false;

  constructor({ headMemory, logger, ...places }: UpkeepClientOptions) {
    this.#logger = logger;
    const workerData: UpkeepOptions = { ...places, journalHead: headMemory };
    this.#pool = oneThreadPool({
      worker: 'upkeep',
      workerData,
      concurrentTasks: 1,
      // Not the end of the node: the pool starts a new thread, and an append makes the segment that it lacks by itself.
      onError: (error) => logger.error({ err: error }, 'upkeep: the thread has died'),
    });
  }

  /**
   * Has the missing segments made ahead of need. Call it as often as you like: one runs at a time, and after a failure
   * there is a pause. What fails is logged: it is the time that is left to act.
   */
  preallocate(): void {
    if (this.#isAllocating || this.#closed || monotonicMs() < this.#notBeforeMs) return;
    this.#isAllocating = true;
    this.run({ kind: 'preallocate' })
      .then((made) => {
        if (!made.ok) this.#allocationFailed(made.error);
      })
      .catch((error: unknown) => this.#allocationFailed(String(error)))
      .finally(() => {
        this.#isAllocating = false;
      });
  }

  /** Runs a task after those before it; rejects when the thread dies. */
  async run<T extends UpkeepTask>(task: T): Promise<UpkeepAnswer<T>> {
    return (await this.#pool.run(task)) as UpkeepAnswer<T>;
  }

  /** Ends the thread; what it does is given up. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool.destroy();
  }

  #allocationFailed(reason: string): void {
    if (this.#closed) return;
    this.#notBeforeMs = monotonicMs() + UPKEEP_RETRY_MS;
    this.#logger.error(
      { reason },
      'upkeep: no segment could be made ahead of need; appends will wait for one',
    );
  }
}
