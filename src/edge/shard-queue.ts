// The queue in front of one shard: requests are written into the slab that is being filled, slabs are handed over as
// batches, and answers go back to those who asked, in order.
//
// While SHARD_BATCHES_IN_FLIGHT_MAX batches are at the shard, the next slab just grows: the busier the shard, the
// larger the batches, and the more requests share one fdatasync. Batches are numbered from 0 and go through
//
//   0 ≤ told ≤ answered ≤ published ≤ filling < told + SHARD_SLABS

import {
  BATCH_BYTES_MAX,
  BATCH_REQUESTS_MAX,
  REQUEST_DEADLINE_MS,
  SHARD_BATCHES_IN_FLIGHT_MAX,
  SHARD_SLABS,
} from '../core/limits.js';
import { wordNumber } from '../core/little-endian.js';
import type { Problem } from '../core/problem.js';
import { BATCH_FLAG, type BatchRing, batchesBetween } from '../workers/batch-ring.js';
import { ANSWER, REQUEST_HEAD_BYTES } from '../workers/protocol.js';
import { AnswerCursor } from './answer-cursor.js';
import type { AnswerTarget } from './answer-target.js';

export interface ShardQueueModules {
  readonly ring: BatchRing;
  /** A batch was handed over: the shard must look. Call `answered` on the queue when it has answered. */
  readonly wake: () => void;
  /** The answers of the oldest batch that came as a message of their own. */
  readonly takeOverflow: () => ArrayBuffer;
  /** Another shard owns the investor of this record. */
  readonly onMisrouted: (shard: number, record: Uint8Array, target: AnswerTarget) => void;
  /** The journal has failed: nothing more will be admitted by this process. */
  readonly onFatal: (reason: string) => void;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

/** One slab of the ring, as this side knows it. */
interface Slab {
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
  readonly #cursor = new AnswerCursor();
  readonly #slabs: readonly Slab[] = Array.from({ length: SHARD_SLABS }, () => ({
    targets: [],
    bytes: 0,
    firstAtMs: 0,
    isOver: false,
  }));
  #filling = 0;
  #published = 0;
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
    bytes.writeUInt32LE(length, at);
    bytes[at + 4] = kind;
    bytes[at + 5] = flags;
    bytes.writeUInt16LE(round, at + 6);
    bytes.writeUInt16LE(token.length, at + 8);
    bytes.writeUInt16LE(bodyBytes, at + 10);
    bytes[at + 12] = keyBytes;
    let to = at + REQUEST_HEAD_BYTES;
    if (token.length > 0) bytes.latin1Write(token, to, token.length);
    to += token.length;
    if (keyBytes > 0) bytes.latin1Write(key, to, keyBytes);
    to += keyBytes;
    if (body !== null) bytes.set(body, to);
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
    while (this.#told !== this.#ring.answered) {
      const batch = this.#told;
      const slab = this.#slab(batch);
      const flags = this.#ring.flags(batch);
      const answers =
        (flags & BATCH_FLAG.overflow) === 0
          ? this.#ring.answers(batch)
          : Buffer.from(this.#modules.takeOverflow());
      this.#atShard -= slab.targets.length;
      if (!slab.isOver) {
        if ((flags & BATCH_FLAG.failed) === 0) this.#tell(slab.targets, this.#ring.requests(batch), answers);
        else for (const target of slab.targets) target.fail(NOT_DURABLE);
      }
      slab.targets = [];
      this.#told = following(this.#told);
      if ((flags & BATCH_FLAG.failed) !== 0) this.#modules.onFatal('the journal has failed');
    }
    this.#flush();
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
        if (this.#isFull) break;
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

  #tell(targets: readonly AnswerTarget[], requests: Buffer, answers: Buffer): void {
    const cursor = this.#cursor;
    cursor.open(answers);
    let requestAt = 0;
    const tellOne = (target: AnswerTarget): void => {
      cursor.next();
      const length = requests.readUInt32LE(requestAt);
      if (cursor.kind !== ANSWER.misrouted) target.answer(cursor);
      else this.#modules.onMisrouted(cursor.status, requests.subarray(requestAt, requestAt + length), target);
      requestAt += length;
    };
    for (let at = 0; at < targets.length; ) {
      const target = targets[at]!;
      if (targets[at + 1] !== target) {
        tellOne(target);
        at++;
        continue;
      }
      target.cork(() => {
        while (targets[at] === target) {
          tellOne(target);
          at++;
        }
      });
    }
  }
}

const following = (batch: number): number => (batch + 1) >>> 0;
