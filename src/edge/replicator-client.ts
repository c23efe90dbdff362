// The front end's side of the replicator: a one-thread piscina pool and the port beside its one long task. Whatever
// happens to the thread, the rows are in the journal: it is started again, and goes on where its cursor is.

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { Piscina } from 'piscina';
import { REPLICATION_DRAIN_MS, REPLICATION_RESTART_MS } from '../core/limits.js';
import { err, type Result } from '../core/result.js';
import { oneThreadPool } from './one-thread-pool.js';
import { ReplicationWords } from './replication-words.js';
import type {
  CompareTask,
  FollowTask,
  ReplicatorNews,
  ReplicatorOptions,
  ReplicatorOrder,
} from './replicator-protocol.js';
import type { RowsCompared } from './row-compare.js';

export interface ReplicatorClientModules {
  readonly options: Omit<ReplicatorOptions, 'words'>;
  /** `replicated` has risen. */
  readonly onAdvance: () => void;
  /** Once: what this node writes does not count any more, so it must not go on admitting. */
  readonly onFenced: (reason: string) => void;
  readonly logger: Logger;
}

export class ReplicatorClient {
  readonly words = new ReplicationWords();
  readonly #modules: ReplicatorClientModules;
  readonly #pool: Piscina;
  #port: MessagePort | null = null;
  #trouble: string | null = null;
  #fenced = false;
  #stopping = false;
  #restart: NodeJS.Timeout | null = null;
  #following: Promise<void> = Promise.resolve();

  constructor(modules: ReplicatorClientModules) {
    this.#modules = modules;
    const workerData: ReplicatorOptions = { ...modules.options, words: this.words.memory };
    this.#pool = oneThreadPool({
      worker: 'replicator',
      workerData,
      // One that follows, and an audit and a repair beside it: all of them wait for others most of the time.
      concurrentTasks: 3,
      // Its task is rejected as well, and that starts it again.
      onError: (error) => modules.logger.error({ err: error }, 'rows: the replicator thread has died'),
    });
  }

  /** Every row up to here is in the store at LOCAL_QUORUM. */
  get replicated(): number {
    return this.words.get('replicated');
  }

  /** Why rows cannot be written at this moment; null while they can. */
  get trouble(): string | null {
    return this.#trouble;
  }

  start(): void {
    this.#following = this.#follow();
  }

  /** A reply waits for a row that has just become durable. */
  wake(): void {
    this.#order('wake');
  }

  /**
   * Compares the rows up to what is replicated now with the journal, and has those written again that differ if that is
   * wanted. The error says why it could not.
   */
  async compare(repair: boolean): Promise<Result<RowsCompared, string>> {
    const task: CompareTask = { kind: 'compare', upTo: this.replicated, repair };
    try {
      return (await this.#pool.run(task)) as Result<RowsCompared, string>;
    } catch (error) {
      return err(`the comparison broke off: ${(error as Error).message}`);
    }
  }

  /** Writes what is durable, for a while, and ends the thread. */
  async close(): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    this.#order('stop');
    // Its own bound, and as much again for a thread that hangs.
    const late = new Promise<void>((resolve) => setTimeout(resolve, 2 * REPLICATION_DRAIN_MS).unref());
    await Promise.race([this.#following, late]);
    await this.#pool.destroy();
  }

  #order(order: ReplicatorOrder): void {
    this.#port?.postMessage(order);
  }

  async #follow(): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (news: ReplicatorNews) => this.#hear(news));
    port1.unref();
    try {
      const task: FollowTask = { kind: 'follow', port: port2 };
      await this.#pool.run(task, { transferList: [port2] });
    } catch (error) {
      if (!this.#stopping)
        this.#modules.logger.error({ err: error }, 'rows: the replicator is started again');
    }
    port1.close();
    this.#port = null;
    if (this.#stopping || this.#fenced) return;
    this.#restart = setTimeout(() => this.start(), REPLICATION_RESTART_MS);
  }

  #hear(news: ReplicatorNews): void {
    const { logger, onAdvance, onFenced } = this.#modules;
    switch (news.kind) {
      case 'advanced':
        onAdvance();
        return;
      case 'trouble':
        this.#trouble = news.failure.message;
        logger.warn(news.failure, 'rows: they cannot be written to Cassandra; they are tried again');
        return;
      case 'well':
        this.#trouble = null;
        logger.info('rows: they are written to Cassandra again');
        return;
      case 'fenced':
        this.#fenced = true;
        logger.fatal({ reason: news.reason }, 'rows: what this node writes does not count any more');
        onFenced(news.reason);
        return;
      case 'failed':
        this.#trouble = news.reason;
        logger.error({ reason: news.reason }, 'rows: the journal cannot be followed');
    }
  }
}
