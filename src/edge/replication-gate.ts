// Holds replies back until the rows that they speak of are in the store at LOCAL_QUORUM: acknowledgement `replicated`.
//
// A batch is held with the newest sequence that was durable when it was answered, not with its own last row: a repeated
// request is answered from an earlier row, which may be on its way as well. Sequences only rise, so the queue is in
// order and the first one to wait is the first to go. What waits too long is told `not-durable`, which means unknown:
// the row is on this node's disk, may be in the store, and the same key asks again and gets the truth.
//
// A yes is told only by who owns the rounds after its rows were seen in the store. Whoever takes them over reads the rows
// after that, so it has every row of a yes that was told. A row that arrives later, because its owner was paused with it in
// hand, counts nowhere: the node is fenced, and so is its answer.

import { assert } from '../core/assert.js';
import { REPLICATION_DEADLINE_MS, REPLICATION_HELD_MAX } from '../core/limits.js';
import { FENCED, type Problem } from '../core/problem.js';

/** Lets a batch go: null: as it was answered; a problem: in the place of every answer of it. */
export type Release = (problem: Problem | null) => void;

export interface ReplicationGateModules {
  /** Every row up to here is in the store. */
  readonly replicated: () => number;
  /** False when another node may own the rounds by now. */
  readonly owns: () => boolean;
  /** Somebody waits now: there is something to write. */
  readonly wake: () => void;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  readonly heldMax?: number;
  readonly deadlineMs?: number;
}

interface Held {
  readonly sequence: number;
  readonly sinceMs: number;
  readonly release: Release;
}

const LATE: Problem = {
  code: 'not-durable',
  detail: 'The rows are on the disk of this node, and not yet replicated. Ask again with the same key.',
  retryAfterS: 1,
};

const FULL: Problem = {
  code: 'not-durable',
  detail: 'Too many rows wait to be replicated. Ask again with the same key.',
  retryAfterS: 1,
};

export class ReplicationGate {
  readonly #modules: ReplicationGateModules;
  readonly #heldMax: number;
  readonly #deadlineMs: number;
  #held: Held[] = [];
  #isFenced = false;
  #late = 0;

  constructor(modules: ReplicationGateModules) {
    this.#modules = modules;
    this.#heldMax = modules.heldMax ?? REPLICATION_HELD_MAX;
    this.#deadlineMs = modules.deadlineMs ?? REPLICATION_DEADLINE_MS;
  }

  /** Batches that wait. */
  get held(): number {
    return this.#held.length;
  }

  /** Batches since the start that were told that they are not durable in time. */
  get late(): number {
    return this.#late;
  }

  /** How long the oldest one has waited, in milliseconds; 0 when none does. */
  get oldestMs(): number {
    const first = this.#held[0];
    return first === undefined ? 0 : this.#modules.clock() - first.sinceMs;
  }

  /**
   * Calls `release` once: at once when everything up to `sequence` is replicated and nobody waits before it, else as soon
   * as that is so, it is too late, or this node is fenced.
   * @param sequence the newest durable one when the batch was answered; never lower than in the call before
   */
  hold(sequence: number, release: Release): void {
    const { wake, clock } = this.#modules;
    const last = this.#held.at(-1);
    assert(last === undefined || sequence >= last.sequence, 'batches are held in the order of their rows');
    const reached = this.#reached();
    if (this.#isFenced) release(FENCED);
    else if (last === undefined && reached >= sequence) release(null);
    else {
      this.#held.push({ sequence, sinceMs: clock(), release });
      wake();
      if (this.#held.length <= this.#heldMax) return;
      this.#late += 1;
      // The oldest: whoever is told must be the first that waits, for the answers of a shard leave in order.
      this.#release(1, FULL);
    }
  }

  /** `replicated` has risen: lets go of what may go. */
  advance(): void {
    const reached = this.#reached();
    let count = 0;
    while (count < this.#held.length && this.#held[count]!.sequence <= reached) count++;
    this.#release(count, null);
  }

  /** Lets go of what has waited too long. Call it now and then. */
  expire(): void {
    // Whatever has been replicated by now is not late, however late it is looked at.
    this.advance();
    const before = this.#modules.clock() - this.#deadlineMs;
    let count = 0;
    while (count < this.#held.length && this.#held[count]!.sinceMs <= before) count++;
    this.#late += count;
    this.#release(count, LATE);
  }

  /** From now on nothing passes: another node may own the rounds. */
  fence(): void {
    this.#isFenced = true;
    this.#release(this.#held.length, FENCED);
  }

  /** How far rows may be told; fences the gate when this node may be the owner no more. */
  #reached(): number {
    const { replicated, owns } = this.#modules;
    const reached = replicated();
    // Asked after that: the other way round the lease could end, and another node read the rows, in between.
    if (!owns()) this.fence();
    return reached;
  }

  /** What a release does may hold the next one, so the queue is in order before the first is called. */
  #release(count: number, problem: Problem | null): void {
    if (count === 0) return;
    const gone = this.#held.slice(0, count);
    this.#held = this.#held.slice(count);
    for (const { release } of gone) release(problem);
  }
}
