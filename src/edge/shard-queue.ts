// The queue in front of one shard: requests of a loop turn become one slab, a slab becomes one piscina task, and its
// answers go back to those who asked, in order.
//
// While SHARD_BATCHES_IN_FLIGHT_MAX batches are at the shard, the next slab just grows: the busier the shard, the
// larger the batches, and the more requests share one fdatasync.

import {
  BATCH_BYTES_MAX,
  BATCH_REQUESTS_MAX,
  REQUEST_DEADLINE_MS,
  SHARD_BATCHES_IN_FLIGHT_MAX,
  SHARD_QUEUE_REQUESTS_MAX,
} from '../core/limits.js';
import type { Problem } from '../core/problem.js';
import { ANSWER, type BatchResult, type BatchTask, REQUEST_HEAD_BYTES } from '../workers/protocol.js';
import { AnswerCursor } from './answer-cursor.js';

/** Who asked. An answer comes exactly once, as one of the two. */
export interface AnswerTarget {
  /** The cursor stands on the answer; what it shows is good only during the call. */
  answer(cursor: AnswerCursor): void;
  /** There will be no answer: unknown, never no. */
  fail(problem: Problem): void;
  /** Runs `work`, which answers this target several times in a row, as one write. */
  cork(work: () => void): void;
}

export interface ShardQueueModules {
  /** Hands a batch to the shard's thread; slabs are transferred both ways. Rejects when the thread has died. */
  readonly run: (task: BatchTask) => Promise<BatchResult>;
  /** Another shard owns the investor of this record. */
  readonly onMisrouted: (shard: number, record: Uint8Array, target: AnswerTarget) => void;
  /** The journal has failed, or the thread has died: nothing more will be admitted by this process. */
  readonly onFatal: (reason: string) => void;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

interface Slab {
  /** When its first request came. */
  firstAtMs: number;
  readonly requests: Buffer;
  answers: ArrayBuffer;
  length: number;
  readonly targets: AnswerTarget[];
}

interface InFlight {
  readonly targets: readonly AnswerTarget[];
  readonly sentAtMs: number;
  expired: boolean;
}

const ANSWERS_BYTES = 262_144;
/** Memory for answers that grew past this (long lists) is not kept. */
const SPARE_ANSWERS_BYTES_MAX = 16 * ANSWERS_BYTES;
const NOT_DURABLE: Problem = { code: 'not-durable', retryAfterS: 5 };
const TOO_LATE: Problem = {
  code: 'overloaded',
  detail: 'There was no verdict in time. It is unknown: ask again with the same key.',
  retryAfterS: 5,
};

export class ShardQueue {
  readonly #modules: ShardQueueModules;
  readonly #cursor = new AnswerCursor();
  readonly #waiting: Slab[] = [];
  readonly #inFlight = new Set<InFlight>();
  readonly #spare: { requests: ArrayBuffer; answers: ArrayBuffer }[] = [];
  #filling: Slab;
  #queued = 0;
  #flushScheduled = false;
  #idleWaiters: (() => void)[] = [];

  constructor(modules: ShardQueueModules) {
    this.#modules = modules;
    this.#filling = this.#newSlab();
  }

  /** Requests that wait, not counting those at the shard. */
  get queued(): number {
    return this.#queued;
  }

  /** Requests taken and not answered. */
  get requestsInFlight(): number {
    let count = this.#queued;
    for (const batch of this.#inFlight) count += batch.targets.length;
    return count;
  }

  /** Batches at the shard. */
  get inFlight(): number {
    return this.#inFlight.size;
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
    const bytes = slab.requests;
    const at = slab.length;
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
    slab.requests.set(record, slab.length);
    this.#took(slab, record.length, target);
    return true;
  }

  /** Resolves when everything that was added before has been answered. */
  drained(): Promise<void> {
    if (this.#queued === 0 && this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Fails what has waited past its deadline; a verdict of what is at the shard may still come, and is then nobody's. */
  expire(): void {
    const before = this.#modules.clock() - REQUEST_DEADLINE_MS;
    for (const batch of this.#inFlight) {
      if (batch.expired || batch.sentAtMs > before) continue;
      batch.expired = true;
      for (const target of batch.targets) target.fail(TOO_LATE);
    }
    const filling = this.#filling;
    for (const slab of [...this.#waiting, filling]) {
      if (slab.targets.length === 0 || slab.firstAtMs > before) continue;
      // Never handed over, so nothing was decided; its memory is filled anew.
      this.#queued -= slab.targets.length;
      for (const target of slab.targets.splice(0)) target.fail(TOO_LATE);
      slab.length = 0;
    }
    this.#waiting.splice(0, this.#waiting.length, ...this.#waiting.filter((slab) => slab.targets.length > 0));
  }

  /** Answers everything that waits or is at the shard: nothing more will come. */
  failAll(problem: Problem): void {
    for (const slab of [...this.#waiting, this.#filling])
      for (const target of slab.targets) target.fail(problem);
    this.#waiting.length = 0;
    this.#filling = this.#newSlab();
    this.#queued = 0;
    for (const batch of this.#inFlight) {
      if (!batch.expired) for (const target of batch.targets) target.fail(problem);
      batch.expired = true;
    }
    this.#tellIdle();
  }

  #slabFor(length: number): Slab | null {
    if (this.#queued >= SHARD_QUEUE_REQUESTS_MAX) return null;
    const slab = this.#filling;
    if (slab.length + length <= BATCH_BYTES_MAX && slab.targets.length < BATCH_REQUESTS_MAX) return slab;
    this.#waiting.push(slab);
    this.#filling = this.#newSlab();
    return this.#filling;
  }

  #took(slab: Slab, length: number, target: AnswerTarget): void {
    if (slab.targets.length === 0) slab.firstAtMs = this.#modules.clock();
    slab.length += length;
    slab.targets.push(target);
    this.#queued++;
    if (this.#flushScheduled || this.#inFlight.size >= SHARD_BATCHES_IN_FLIGHT_MAX) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #newSlab(): Slab {
    const memory = this.#spare.pop();
    const requests = memory?.requests ?? new ArrayBuffer(BATCH_BYTES_MAX);
    const answers = memory?.answers ?? new ArrayBuffer(ANSWERS_BYTES);
    return { firstAtMs: 0, requests: Buffer.from(requests), answers, length: 0, targets: [] };
  }

  #flush(): void {
    while (this.#inFlight.size < SHARD_BATCHES_IN_FLIGHT_MAX) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#dispatch(next);
        continue;
      }
      if (this.#filling.targets.length === 0) return;
      const slab = this.#filling;
      this.#filling = this.#newSlab();
      this.#dispatch(slab);
    }
  }

  #dispatch(slab: Slab): void {
    const { targets, length } = slab;
    this.#queued -= targets.length;
    const batch: InFlight = { targets, sentAtMs: this.#modules.clock(), expired: false };
    this.#inFlight.add(batch);
    const requests = slab.requests.buffer as ArrayBuffer;
    const task: BatchTask = { kind: 'batch', requests, length, count: targets.length, answers: slab.answers };
    this.#modules.run(task).then(
      (result) => this.#answered(batch, result),
      (error: unknown) => {
        this.#inFlight.delete(batch);
        this.#failBatch(batch);
        this.#modules.onFatal(`an admission shard has died: ${String(error)}`);
      },
    );
  }

  #answered(batch: InFlight, result: BatchResult): void {
    this.#inFlight.delete(batch);
    if (result.failed) {
      this.#failBatch(batch);
      this.#modules.onFatal('the journal has failed');
      return;
    }
    if (!batch.expired) this.#deliver(batch.targets, result);
    // As many as can be in use at once, and one to fill.
    if (
      this.#spare.length <= SHARD_BATCHES_IN_FLIGHT_MAX &&
      result.answers.byteLength <= SPARE_ANSWERS_BYTES_MAX
    ) {
      this.#spare.push({ requests: result.requests, answers: result.answers });
    }
    this.#flush();
    if (this.#queued === 0 && this.#inFlight.size === 0) this.#tellIdle();
  }

  #tellIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }

  #failBatch(batch: InFlight): void {
    if (!batch.expired) for (const target of batch.targets) target.fail(NOT_DURABLE);
    batch.expired = true;
  }

  #deliver(targets: readonly AnswerTarget[], result: BatchResult): void {
    const cursor = this.#cursor;
    const requests = Buffer.from(result.requests);
    cursor.open(result.answers);
    let requestAt = 0;
    let at = 0;
    while (at < targets.length) {
      const target = targets[at]!;
      const one = () => {
        cursor.next();
        const length = requests.readUInt32LE(requestAt);
        if (cursor.kind === ANSWER.misrouted) {
          this.#modules.onMisrouted(cursor.status, requests.subarray(requestAt, requestAt + length), target);
        } else target.answer(cursor);
        requestAt += length;
        at++;
      };
      if (targets[at + 1] !== target) one();
      else {
        target.cork(() => {
          do one();
          while (targets[at] === target);
        });
      }
    }
  }
}
