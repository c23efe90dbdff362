// The front end's side of admission: one queue and one single-thread piscina pool per shard, and the gate that says
// why nothing is taken when nothing is.
//
// One pool per shard rather than one pool of many threads: which thread gets a task is then not a question, and the
// order of tasks is the order of calls.

import type { Piscina } from 'piscina';
import { investorHash } from '../core/investor.js';
import type { OutcomeMessage } from '../core/messages.js';
import type { Problem } from '../core/problem.js';
import type { RoundChange, RoundDefinition } from '../core/round.js';
import { unverifiedSubject } from '../core/token.js';
import type {
  AppendRoundTask,
  BatchResult,
  BatchTask,
  ControlResult,
  ControlTask,
  OutcomeApplied,
  ShardOptions,
} from '../workers/protocol.js';
import { oneThreadPool } from './one-thread-pool.js';
import { ShardQueue } from './shard-queue.js';

interface ShardThread {
  readonly pool: Piscina;
  readonly queue: ShardQueue;
}

export interface GatewayModules {
  /** Called once, at the first failure that ends admission for good. */
  readonly onFatal: (reason: string) => void;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

/** Tasks at one thread: its batches, and the few control tasks beside them. All others wait in our own queues. */
const TASKS_PER_THREAD = 64;

export class AdmissionGateway {
  readonly #threads: readonly ShardThread[];
  readonly #onFatal: (reason: string) => void;
  #gate: Problem | null = null;
  #lag: Problem | null = null;
  #failed = false;

  constructor(options: Omit<ShardOptions, 'shard'>, modules: GatewayModules) {
    this.#onFatal = modules.onFatal;
    this.#threads = Array.from({ length: options.shards }, (_, shard) => {
      const pool = newPool({ ...options, shard }, (error) =>
        this.#fatal(`an admission shard has died: ${error}`),
      );
      const queue = new ShardQueue({
        run: (task: BatchTask) =>
          pool.run(task, { transferList: [task.requests, task.answers] }) as Promise<BatchResult>,
        onMisrouted: (owner, record, target) => {
          if (!this.#threads[owner]!.queue.addRecord(record, target))
            target.fail({ code: 'overloaded', retryAfterS: 1 });
        },
        onFatal: (reason) => this.#fatal(reason),
        clock: modules.clock,
      });
      return { pool, queue };
    });
  }

  get shards(): number {
    return this.#threads.length;
  }

  /** Why nothing is admitted now, or null. Once `not-durable`, always `not-durable`. */
  get closedBy(): Problem | null {
    return this.#gate ?? this.#lag;
  }

  /** Closes the gate for new requests; a journal that has failed stays the reason. */
  setGate(problem: Problem): void {
    if (!this.#failed) this.#gate = problem;
  }

  /** The index is too far behind to admit more, or (`null`) no longer. */
  setLag(problem: Problem | null): void {
    this.#lag = problem;
  }

  /** The queues, by shard, for the metrics. */
  queues(): readonly ShardQueue[] {
    return this.#threads.map(({ queue }) => queue);
  }

  /** The queue for a bearer token; its `sub` is read unverified, and a forged one only picks a queue. */
  queueForToken(token: string): ShardQueue {
    if (this.#threads.length === 1) return this.#threads[0]!.queue;
    const subject = unverifiedSubject(token);
    return subject === null ? this.#threads[0]!.queue : this.queueForInvestor(subject);
  }

  queueForInvestor(investor: string): ShardQueue {
    return this.#threads[this.#shardOf(investor)]!.queue;
  }

  #shardOf(investor: string): number {
    return investorHash(investor) % this.#threads.length;
  }

  /** Journals a change of a round; null when the journal has failed. */
  async appendRound(change: RoundChange, definition: RoundDefinition): Promise<{ sequence: number } | null> {
    const result = await this.#control<AppendRoundTask>(0, { kind: 'append-round', change, definition });
    if (result !== null && 'sequence' in result) return result;
    this.#fatal('the journal has failed');
    return null;
  }

  /** Gives every shard the definition. */
  async broadcast(definition: RoundDefinition): Promise<void> {
    await Promise.all(this.#threads.map((_, shard) => this.#control(shard, { kind: 'round', definition })));
  }

  /**
   * Resolves when every batch that was at a shard before has been decided and journaled. What still waits in the
   * queues is decided later, by what shared memory says then.
   */
  async barrier(): Promise<void> {
    await Promise.all(this.#threads.map((_, shard) => this.#control(shard, { kind: 'barrier' })));
  }

  /** Journals outcomes, each at its investor's shard; results in the order given, null when the journal has failed. */
  async applyOutcomes(outcomes: readonly OutcomeMessage[]): Promise<readonly OutcomeApplied[] | null> {
    const byShard = this.#threads.map(() => [] as number[]);
    for (const [at, { investor }] of outcomes.entries()) byShard[this.#shardOf(investor)]!.push(at);
    const results: OutcomeApplied[] = [];
    const done = await Promise.all(
      byShard.map(async (places, shard) => {
        if (places.length === 0) return true;
        const result = await this.#control(shard, {
          kind: 'outcomes',
          outcomes: places.map((at) => outcomes[at]!),
        });
        if (result === null || !('applied' in result)) return false;
        places.forEach((at, i) => {
          results[at] = result.applied[i]!;
        });
        return true;
      }),
    );
    if (done.every(Boolean)) return results;
    this.#fatal('the journal has failed');
    return null;
  }

  /** Tells the shards that the cached balances of these investors have changed in the index. */
  async refreshInvestors(investors: readonly string[]): Promise<void> {
    const byShard = this.#threads.map(() => [] as string[]);
    for (const investor of investors) byShard[this.#shardOf(investor)]!.push(investor);
    await Promise.all(
      byShard.map((mine, shard) =>
        mine.length === 0 ? null : this.#control(shard, { kind: 'refresh', investors: mine }),
      ),
    );
  }

  /** Ends admission for good: nothing that is not answered will be. */
  fail(reason: string): void {
    this.#fatal(reason);
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async drained(): Promise<void> {
    if (!this.#failed) await Promise.all(this.#threads.map(({ queue }) => queue.drained()));
  }

  /** Fails requests that have waited too long. Called by a timer. */
  expire(): void {
    for (const { queue } of this.#threads) queue.expire();
  }

  /** Ends the threads; what is not answered by then is not. */
  async close(): Promise<void> {
    this.#failed = true;
    await Promise.all(this.#threads.map(({ pool }) => pool.destroy()));
  }

  async #control<T extends ControlTask>(shard: number, task: T): Promise<ControlResult<T> | null> {
    if (this.#failed) return null;
    try {
      return (await this.#threads[shard]!.pool.run(task)) as ControlResult<T>;
    } catch (error) {
      this.#fatal(`an admission shard has died: ${String(error)}`);
      return null;
    }
  }

  #fatal(reason: string): void {
    if (this.#failed) return;
    this.#failed = true;
    const problem: Problem = { code: 'not-durable', retryAfterS: 5 };
    this.#gate = problem;
    for (const { queue } of this.#threads) queue.failAll(problem);
    this.#onFatal(reason);
  }
}

function newPool(options: ShardOptions, onError: (error: unknown) => void): Piscina {
  const pool = oneThreadPool({
    worker: 'admission',
    workerData: options,
    concurrentTasks: TASKS_PER_THREAD,
    onError,
  });
  // A thread that ends by itself takes with it what only it knew; the one that piscina starts instead must not serve.
  pool.on('workerDestroy', () => onError('its thread has ended'));
  return pool;
}
