// Brings the tables of the ledger in Cassandra up to its log, behind the changes: what fails is tried again, for ever,
// and how far the tables may be behind is bounded by whoever makes changes.

import type { Logger } from 'pino';
import { LEDGER_RETRY_MAX_MS, LEDGER_RETRY_MIN_MS, LEDGER_TABLE_ROWS_AT_ONCE } from '../core/limits.js';
import { mergedChange } from './cassandra-change.js';
import { type Cql, isAway } from './cassandra-cql.js';
import type { BooksState } from './cassandra-state.js';
import { outboxRemoval, positionBucket, stateWrite, tableWrites } from './cassandra-tables.js';

export class TablesWriter {
  readonly #cql: Cql;
  readonly #state: BooksState;
  readonly #logger: Logger;
  readonly #onFatal: (error: unknown) => void;
  /** What the outbox in the tables begins with, as far as this process knows. */
  #outboxBucket: number;
  #running: Promise<void> | null = null;
  #stopped = false;
  #wake = (): void => undefined;
  readonly #waiting = new Set<() => void>();
  /** What went wrong last; null while all is well. */
  problem: string | null = null;

  /** @param state as it was read from the tables */
  constructor(cql: Cql, state: BooksState, logger: Logger, onFatal: (error: unknown) => void) {
    this.#onFatal = onFatal;
    this.#cql = cql;
    this.#state = state;
    this.#logger = logger;
    this.#outboxBucket = positionBucket(state.balancesSent + 1);
  }

  /** There may be something to write. */
  kick(): void {
    if (this.#running !== null || this.#stopped) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        this.#stopped = true;
        this.#tell();
        this.#onFatal(error);
      })
      .finally(() => {
        this.#running = null;
        if (this.#state.inTables < this.#state.position) this.kick();
      });
  }

  /** True when `condition` holds, which is asked after each step of this writer; false when it does not by the deadline. */
  async until(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    this.kick();
    while (!condition()) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || this.#stopped) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, leftMs);
        const waiting = this.#waiting;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
    return true;
  }

  /** Begins nothing more; what is being written is waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#running;
    this.#tell();
  }

  async #run(): Promise<void> {
    let retryMs = LEDGER_RETRY_MIN_MS;
    while (!this.#stopped) {
      const next = this.#state.nextBehind(LEDGER_TABLE_ROWS_AT_ONCE);
      const last = next.at(-1);
      if (last === undefined) return;
      try {
        const change = mergedChange(next.map((each) => each.change));
        await this.#cql.write(tableWrites(last.position, change), last.position);
        await this.#forgetOutbox(last.position, change.balancesSent);
        // Only now: what it says must be true whatever happens next.
        await this.#cql.write([stateWrite(last.position, change)], last.position);
        this.#state.tablesHave(last.position);
        this.problem = null;
        retryMs = LEDGER_RETRY_MIN_MS;
        this.#tell();
      } catch (error) {
        if (!isAway(error)) throw error;
        this.problem = (error as Error).message;
        this.#logger.warn({ problem: this.problem, retryMs }, 'ledger: the tables are behind the log');
        await this.#sleep(retryMs);
        retryMs = Math.min(LEDGER_RETRY_MAX_MS, retryMs * 2);
      }
    }
  }

  /** Removes what the edge has heard of, a whole partition at a time. */
  async #forgetOutbox(position: number, balancesSent: number): Promise<void> {
    const bucket = positionBucket(balancesSent + 1);
    const heard = Array.from({ length: bucket - this.#outboxBucket }, (_, n) => this.#outboxBucket + n);
    await this.#cql.write(heard.map(outboxRemoval), position);
    this.#outboxBucket = bucket;
  }

  #tell(): void {
    for (const done of [...this.#waiting]) done();
  }

  /** Cut short by a stop. */
  async #sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
