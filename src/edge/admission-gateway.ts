// The front end's side of admission: one queue and one thread per shard, and the gate that says why nothing is taken
// when nothing is.

import { investorHash } from '../core/investor.js';
import type { OutcomeMessage } from '../core/messages.js';
import type { Problem } from '../core/problem.js';
import type { RoundChange, RoundDefinition } from '../core/round.js';
import { unverifiedSubject } from '../core/token.js';
import type {
  AppendRoundTask,
  ControlResult,
  ControlTask,
  OutcomeApplied,
  ShardOptions,
} from '../workers/protocol.js';
import type { ReplicationGate } from './replication-gate.js';
import { ShardQueue } from './shard-queue.js';
import { ShardThread } from './shard-thread.js';

interface ServedShard {
  readonly thread: ShardThread;
  readonly queue: ShardQueue;
}

export interface GatewayModules {
  /**
   * Holds answers back until everything up to a sequence is wherever it has to be; null: what is synced here may be
   * told. Calls are in the order of the sequences.
   */
  readonly hold: ReplicationGate['hold'] | null;
  /** Called once, at the first failure that ends admission for good. */
  readonly onFatal: (reason: string) => void;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

export class AdmissionGateway {
  readonly #shards: readonly ServedShard[];
  readonly #onFatal: (reason: string) => void;
  #gate: Problem | null = null;
  #lag: Problem | null = null;
  #failed = false;

  constructor(options: Omit<ShardOptions, 'shard'>, modules: GatewayModules) {
    this.#onFatal = modules.onFatal;
    let newest = 0;
    /** Shards answer in any order; a batch may wait for more than it needs, never for less. */
    const inOrder =
      (hold: ReplicationGate['hold']): ReplicationGate['hold'] =>
      (sequence, release) => {
        newest = Math.max(newest, sequence);
        hold(newest, release);
      };
    this.#shards = Array.from({ length: options.shards }, (_, shard) => {
      const thread = new ShardThread(
        { ...options, shard },
        { onAnswered: () => queue.answered(), onDeath: (reason) => this.#fatal(reason) },
      );
      const queue: ShardQueue = new ShardQueue({
        ring: thread.ring,
        wake: () => thread.wake(),
        takeOverflow: () => thread.takeOverflow(),
        hold: modules.hold === null ? null : inOrder(modules.hold),
        onMisrouted: (owner, record, target) => {
          if (!this.#shards[owner]!.queue.addRecord(record, target))
            target.fail({ code: 'overloaded', retryAfterS: 1 });
        },
        onFatal: (reason) => this.#fatal(reason),
        clock: modules.clock,
      });
      return { thread, queue };
    });
  }

  get shards(): number {
    return this.#shards.length;
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
    return this.#shards.map(({ queue }) => queue);
  }

  /** The queue for a bearer token; its `sub` is read unverified, and a forged one only picks a queue. */
  queueForToken(token: string): ShardQueue {
    if (this.#shards.length === 1) return this.#shards[0]!.queue;
    const subject = unverifiedSubject(token);
    return subject === null ? this.#shards[0]!.queue : this.queueForInvestor(subject);
  }

  queueForInvestor(investor: string): ShardQueue {
    return this.#shards[this.#shardOf(investor)]!.queue;
  }

  #shardOf(investor: string): number {
    return investorHash(investor) % this.#shards.length;
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
    await Promise.all(this.#shards.map((_, shard) => this.#control(shard, { kind: 'round', definition })));
  }

  /**
   * Resolves when every batch that was at a shard before has been decided and journaled. What still waits in the
   * queues is decided later, by what shared memory says then.
   */
  async barrier(): Promise<void> {
    await Promise.all(this.#shards.map((_, shard) => this.#control(shard, { kind: 'barrier' })));
  }

  /** Journals outcomes, each at its investor's shard; results in the order given, null when the journal has failed. */
  async applyOutcomes(outcomes: readonly OutcomeMessage[]): Promise<readonly OutcomeApplied[] | null> {
    const byShard = this.#shards.map(() => [] as number[]);
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

  /** Ends admission for good: nothing that is not answered will be. */
  fail(reason: string): void {
    this.#fatal(reason);
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async drained(): Promise<void> {
    if (!this.#failed) await Promise.all(this.#shards.map(({ queue }) => queue.drained()));
  }

  /** Fails requests that have waited too long. Called by a timer. */
  expire(): void {
    for (const { queue } of this.#shards) queue.expire();
  }

  /** Ends the threads; what is not answered by then is not. */
  async close(): Promise<void> {
    this.#failed = true;
    await Promise.all(this.#shards.map(({ thread }) => thread.close()));
  }

  async #control<T extends ControlTask>(shard: number, task: T): Promise<ControlResult<T> | null> {
    return this.#failed ? null : this.#shards[shard]!.thread.control(task);
  }

  #fatal(reason: string): void {
    if (this.#failed) return;
    this.#failed = true;
    const problem: Problem = { code: 'not-durable', retryAfterS: 5 };
    this.#gate = problem;
    for (const { queue } of this.#shards) queue.failAll(problem);
    this.#onFatal(reason);
  }
}
