// The queue in front of one shard: requests are written into the slab that is being filled, slabs are handed over as
// batches, and answers go back to those who asked, in order.
//
// While SHARD_BATCHES_IN_FLIGHT_MAX batches are at the shard, the next slab just grows: the busier the shard, the
// larger the batches, and the more requests share one fdatasync. Batches are numbered from 0 and go through
//
//   0 ≤ told ≤ taken ≤ answered ≤ published ≤ filling < told + SHARD_SLABS
//
// where those between `told` and `taken` are held back: their rows are not everywhere yet where they have to be.

import {
  BATCH_BYTES_MAX,
  BATCH_REQUESTS_MAX,
  REQUEST_DEADLINE_MS,
  SHARD_BATCHES_IN_FLIGHT_MAX,
  SHARD_SLABS,
} from '../core/limits.js';
import { putU16, putU32, wordNumber } from '../core/little-endian.js';
import type { Problem } from '../core/problem.js';
import { BATCH_FLAG, type BatchRing, batchesBetween } from '../workers/batch-ring.js';
import { REQUEST_HEAD_BYTES } from '../workers/protocol.js';
import { AnswerDelivery, type OnMisrouted } from './answer-delivery.js';
import type { AnswerTarget } from './answer-target.js';

export interface ShardQueueModules {
  readonly ring: BatchRing;
  /** A batch was handed over: the shard must look. Call `answered` on the queue when it has answered. */
  readonly wake: () => void;
  /** The answers of the oldest batch that came as a message of their own. */
  readonly takeOverflow: () => ArrayBuffer;
  /** Holds a batch's answers back until everything up to `sequence` may be told, or a problem is; null: nothing does. */
  readonly hold: ((sequence: number, release: (problem: Problem | null) => void) => void) | null;
  readonly onMisrouted: OnMisrouted;
  /** The journal has failed: nothing more will be admitted by this process. */
  readonly onFatal: (reason: string) => void;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

/** One slab of the ring, as this side knows it. */
interface Slab {
  /** What the shard answered, while it is held back. */
  answers: Buffer | null;
  targets: AnswerTarget[];
  bytes: number;
  /** When its first request came. */
  firstAtMs: number;
  /** Its targets have been told already. */
  isOver: boolean;
}

const NOT_DURABLE: Problem = { code: 'not-durable', retryAfterS: 5 };
const TOO_LATE: Problem = {
  code: 'overloaded',
  detail: 'There was no verdict in time. It is unknown: ask again with the same key.',
  retryAfterS: 5,
};

export class ShardQueue {
  readonly #modules: ShardQueueModules;
  readonly #ring: BatchRing;
  readonly #delivery: AnswerDelivery;
  readonly #slabs: readonly Slab[] = Array.from({ length: SHARD_SLABS }, () => ({
    answers: null,
    targets: [],
    bytes: 0,
    firstAtMs: 0,
    isOver: false,
  }));
  #filling = 0;
  #published = 0;
  #taken = 0;
  #told = 0;
  #queued = 0;
  #atShard = 0;
  #flushScheduled = false;
  #idleWaiters: (() => void)[] = [];
  readonly #flushSoon = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };

  constructor(modules: ShardQueueModules) {
    this.#modules = modules;
    this.#ring = modules.ring;
    this.#delivery = new AnswerDelivery(modules.onMisrouted);
  }

  /** Requests that wait, not counting those at the shard. */
  get queued(): number {
    return this.#queued;
  }

  /** Requests taken and not answered. */
  get requestsInFlight(): number {
    return this.#queued + this.#atShard;
  }

  /** Batches at the shard. */
  get inFlight(): number {
    return batchesBetween(this.#ring.answered, this.#published);
  }

  /**
   * Adds a request. False when the queue is full; then nothing was taken.
   * @param token bearer token, or a live connection's investor
   * @param key idempotency key as it came, or an id
   */
  add(
    kind: number,
    flags: number,
    round: number,
    token: string,
    key: string,
    body: Uint8Array | null,
    target: AnswerTarget,
  ): boolean {
    const bodyBytes = body === null ? 0 : body.length;
    // A key longer than its length byte is bad whatever it is; the shard says so.
    const keyBytes = key.length > 255 ? 255 : key.length;
    const length = (REQUEST_HEAD_BYTES + token.length + keyBytes + bodyBytes + 3) & ~3;
    const slab = this.#slabFor(length);
    if (slab === null) return false;
    const bytes = this.#ring.requests(this.#filling);
    const at = slab.bytes;
    putU32(bytes, at, length);
    bytes[at + 4] = kind;
    bytes[at + 5] = flags;
    putU16(bytes, at + 6, round);
    putU16(bytes, at + 8, token.length);
    putU16(bytes, at + 10, bodyBytes);
    bytes[at + 12] = keyBytes;
    let to = at + REQUEST_HEAD_BYTES;
    if (token.length > 0) bytes.latin1Write(token, to, token.length);
    to += token.length;
    if (keyBytes > 0) bytes.latin1Write(key, to, keyBytes);
    to += keyBytes;
    // A loop beats a call at the length of most bodies, and into shared memory.
    for (let i = 0; i < bodyBytes; i++) bytes[to++] = body![i]!;
    this.#took(slab, length, target);
    return true;
  }

  /** Adds a record that another queue had built. */
  addRecord(record: Uint8Array, target: AnswerTarget): boolean {
    const slab = this.#slabFor(record.length);
    if (slab === null) return false;
    this.#ring.requests(this.#filling).set(record, slab.bytes);
    this.#took(slab, record.length, target);
    return true;
  }

  /** The shard has answered: tells those who asked, and hands over what has gathered meanwhile. */
  answered(): void {
    const { hold, takeOverflow } = this.#modules;
    while (this.#taken !== this.#ring.answered) {
      const batch = this.#taken;
      this.#taken = following(batch);
      const isOverflow = (this.#ring.flags(batch) & BATCH_FLAG.overflow) !== 0;
      this.#slab(batch).answers = isOverflow ? Buffer.from(takeOverflow()) : this.#ring.answers(batch);
      if (hold === null) this.#settle(null);
      else hold(this.#ring.durableSequence(batch), (problem) => this.#settle(problem));
    }
    this.#flush();
  }

  /** The oldest batch that was taken may be told; `problem`: in the place of every answer. */
  #settle(problem: Problem | null): void {
    const batch = this.#told;
    const slab = this.#slab(batch);
    const { targets, answers } = slab;
    const hasFailed = (this.#ring.flags(batch) & BATCH_FLAG.failed) !== 0;
    const instead = hasFailed ? NOT_DURABLE : problem;
    this.#atShard -= targets.length;
    if (!slab.isOver) {
      if (instead === null && answers !== null)
        this.#delivery.tell(targets, this.#ring.requests(batch), answers);
      else for (const target of targets) target.fail(instead ?? NOT_DURABLE);
    }
    slab.targets = [];
    slab.answers = null;
    this.#told = following(batch);
    if (hasFailed) this.#modules.onFatal('the journal has failed');
    if (this.#modules.hold !== null) this.#flush();
    if (this.#queued === 0 && this.#told === this.#published) this.#tellIdle();
  }

  /** Resolves when everything that was added before has been answered. */
  drained(): Promise<void> {
    if (this.#queued === 0 && this.#told === this.#published) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Fails what has waited past its deadline; a verdict of what is at the shard may still come, and is then nobody's. */
  expire(): void {
    const before = this.#modules.clock() - REQUEST_DEADLINE_MS;
    for (const batch of this.#inUse()) {
      const slab = this.#slab(batch);
      if (slab.targets.length === 0 || slab.isOver || slab.firstAtMs > before) continue;
      for (const target of slab.targets) target.fail(TOO_LATE);
      if (this.#isPublished(batch)) slab.isOver = true;
      else this.#forget(slab); // never handed over, so nothing was decided
    }
  }

  /** Answers everything that waits or is at the shard: nothing more will come. */
  failAll(problem: Problem): void {
    for (const batch of this.#inUse()) {
      const slab = this.#slab(batch);
      if (!slab.isOver) for (const target of slab.targets) target.fail(problem);
      if (this.#isPublished(batch)) slab.isOver = true;
      else this.#forget(slab);
    }
    this.#tellIdle();
  }

  /** All slabs but the one that would be filled next hold something. */
  get #isFull(): boolean {
    return batchesBetween(this.#told, this.#filling) + 1 >= SHARD_SLABS;
  }

  /** Batches that are not told yet, oldest first, the one that is being filled too. */
  #inUse(): number[] {
    const count = batchesBetween(this.#told, this.#filling) + 1;
    return Array.from({ length: count }, (_, i) => (this.#told + i) >>> 0);
  }

  #isPublished(batch: number): boolean {
    return batchesBetween(this.#told, batch) < batchesBetween(this.#told, this.#published);
  }

  #slab(batch: number): Slab {
    return this.#slabs[batch % SHARD_SLABS]!;
  }

  /** The slab to write a record of this length into; null when all are in use. */
  #slabFor(length: number): Slab | null {
    const slab = this.#slab(this.#filling);
    if (slab.bytes + length <= BATCH_BYTES_MAX && slab.targets.length < BATCH_REQUESTS_MAX) return slab;
    if (this.#isFull) return null;
    return this.#fillNext();
  }

  #fillNext(): Slab {
    this.#filling = following(this.#filling);
    const slab = this.#slab(this.#filling);
    slab.bytes = 0;
    slab.isOver = false;
    return slab;
  }

  #took(slab: Slab, length: number, target: AnswerTarget): void {
    if (slab.targets.length === 0) slab.firstAtMs = this.#modules.clock();
    slab.bytes += length;
    slab.targets.push(target);
    this.#queued++;
    if (this.#flushScheduled || this.inFlight >= SHARD_BATCHES_IN_FLIGHT_MAX) return;
    this.#flushScheduled = true;
    setImmediate(this.#flushSoon);
  }

  /** Empties a slab that was not handed over. */
  #forget(slab: Slab): void {
    this.#queued -= slab.targets.length;
    slab.targets = [];
    slab.bytes = 0;
  }

  /** Hands over what the shard may have, oldest first. */
  #flush(): void {
    const published = this.#published;
    while (this.#queued > 0 && this.inFlight < SHARD_BATCHES_IN_FLIGHT_MAX) {
      const slab = this.#slab(this.#published);
      if (this.#published === this.#filling) {
        // Where answers are held back small batches must not take all slabs: then half of them leave only when full.
        if (batchesBetween(this.#told, this.#filling) >= SHARD_SLABS / 2) break;
        this.#fillNext();
      }
      this.#queued -= slab.targets.length;
      this.#atShard += slab.targets.length;
      this.#ring.publish(slab.bytes, slab.targets.length, wordNumber(process.hrtime.bigint()));
      this.#published = following(this.#published);
    }
    if (this.#published !== published) this.#modules.wake();
  }

  #tellIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}

const following = (batch: number): number => (batch + 1) >>> 0;
