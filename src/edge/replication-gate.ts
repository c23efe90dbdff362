// Holds replies back until the rows that they speak of are in the store at LOCAL_QUORUM: acknowledgement `replicated`.
//
// A batch is held with the newest sequence that was durable when it was answered, not with its own last row: a repeated
// request is answered from an earlier row, which may be on its way as well. Sequences only rise, so the queue is in
// order and the first one to wait is the first to go. What waits too long is told `not-durable`, which means unknown:
// the row is on this node's disk, may be in the store, and the same key asks again and gets the truth.

import { assert } from '../core/assert.js';
import { REPLICATION_DEADLINE_MS, REPLICATION_HELD_MAX } from '../core/limits.js';
import type { Problem } from '../core/problem.js';

/** Lets a batch go: null: as it was answered; a problem: in the place of every answer of it. */
export type Release = (problem: Problem | null) => void;

export interface ReplicationGateModules {
  /** Every row up to here is in the store. */
  readonly replicated: () => number;
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
  #failure: Problem | null = null;
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
   * as that is so, it is too late, or the gate has failed.
   * @param sequence the newest durable one when the batch was answered; never lower than in the call before
   */
  hold(sequence: number, release: Release): void {
    const { replicated, wake, clock } = this.#modules;
    const last = this.#held.at(-1);
    assert(last === undefined || sequence >= last.sequence, 'batches are held in the order of their rows');
    if (this.#failure !== null) release(this.#failure);
    else if (last === undefined && replicated() >= sequence) release(null);
    else if (this.#held.length >= this.#heldMax) {
      this.#late += 1;
      release(FULL);
    } else {
      this.#held.push({ sequence, sinceMs: clock(), release });
      wake();
    }
  }

  /** `replicated` has risen: lets go of what may go. */
  advance(): void {
    const reached = this.#modules.replicated();
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

  /** From now on nothing passes: this node has been superseded, say. */
  fail(problem: Problem): void {
    this.#failure ??= problem;
    this.#release(this.#held.length, this.#failure);
  }

  /** What a release does may hold the next one, so the queue is in order before the first is called. */
  #release(count: number, problem: Problem | null): void {
    if (count === 0) return;
    const gone = this.#held.slice(0, count);
    this.#held = this.#held.slice(count);
    for (const { release } of gone) release(problem);
  }
}
