// Publishing to the first nsqd that is well: the one in use is kept until it fails, then the next one takes over, with
// what was not answered. So a message may be taken twice, which every consumer must bear anyway; it is never reported as
// taken before an nsqd has said so.

import { assert } from '../../core/assert.js';
import {
  NSQ_BATCH_MESSAGES_MAX,
  NSQ_BODY_BYTES_MAX,
  NSQ_IN_FLIGHT_BATCHES_MAX,
  NSQ_MESSAGE_BYTES_MAX,
  NSQ_QUEUE_BYTES_MAX,
  NSQ_QUEUE_MESSAGES_MAX,
} from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import type { PublishFailure } from '../bus.js';
import type { KeptConnection, NsqModules } from './kept-connection.js';
import { KeptSet } from './kept-set.js';
import type { NsqRefusal } from './nsq-connection.js';

const TOPIC_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;
/** Of an MPUB: the number of messages, and the length of each. */
const COUNT_BYTES = 4;
const LENGTH_BYTES = 4;

/** One call of publish. */
interface Publication {
  readonly resolve: (result: Result<void, PublishFailure>) => void;
  batchesLeft: number;
  isSettled: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** What one PUB or MPUB carries: all or a part of a publication. */
interface Batch {
  readonly publication: Publication;
  readonly topic: string;
  readonly bodies: readonly Buffer[];
  readonly bytes: number;
  /** nsqds that had it and did not take it. */
  readonly refusedBy: Set<KeptConnection>;
}

export class NsqPublisher {
  readonly #timings: NsqModules['timings'];
  readonly #logger: NsqModules['logger'];
  readonly #set: KeptSet;
  readonly #onChange: (connected: boolean) => void;
  readonly #onDoubt: () => void;
  /** Not sent, oldest first. */
  #queue: Batch[] = [];
  /** Sent and not answered, by connection. */
  readonly #unanswered = new Map<KeptConnection, number>();
  /** Connections that failed and whose end has not been heard of yet. */
  readonly #failing = new Set<KeptConnection>();
  #current: KeptConnection | null = null;
  #messages = 0;
  #bytes = 0;
  #closed = false;

  /**
   * @param onChange whether there is anybody to publish to has changed
   * @param onDoubt an nsqd went away: what it had taken may be lost
   */
  constructor(modules: NsqModules, onChange: (connected: boolean) => void, onDoubt: () => void) {
    this.#timings = modules.timings;
    this.#logger = modules.logger;
    this.#onChange = onChange;
    this.#onDoubt = onDoubt;
    this.#set = new KeptSet({ kind: 'publish' }, modules, {
      ready: (kept) => this.#ready(kept),
      message: () => undefined,
      lost: (kept) => this.#lost(kept),
    });
  }

  /** Waiting or sent, and not answered. */
  get outstanding(): number {
    return this.#messages;
  }

  /** See Publisher.publish. */
  async publish(topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>> {
    assert(TOPIC_PATTERN.test(topic), () => `nsqd would not take the topic ${topic}`);
    if (this.#closed) return err('closed');
    if (bodies.length === 0) return ok(undefined);
    if (bodies.some(({ length }) => length === 0 || length > NSQ_MESSAGE_BYTES_MAX)) return err('bad-size');
    if (this.#pick() === null) return err('unreachable');
    const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
    if (this.#messages + bodies.length > NSQ_QUEUE_MESSAGES_MAX || this.#bytes + bytes > NSQ_QUEUE_BYTES_MAX)
      return err('overloaded');
    return new Promise((resolve) => {
      const publication: Publication = { resolve, batchesLeft: 0, isSettled: false, timer: undefined };
      for (const batch of batches(topic, bodies, publication)) {
        publication.batchesLeft++;
        this.#messages += batch.bodies.length;
        this.#bytes += batch.bytes;
        this.#queue.push(batch);
      }
      publication.timer = setTimeout(
        () => this.#settle(publication, err('timeout')),
        this.#timings.publishTimeoutMs,
      );
      this.#pump();
    });
  }

  close(): void {
    this.#closed = true;
    const waiting = this.#queue;
    this.#set.close();
    for (const { publication } of waiting) this.#settle(publication, err('closed'));
  }

  #ready(kept: KeptConnection): void {
    this.#failing.delete(kept);
    this.#unanswered.set(kept, 0);
    if (this.#set.ready().length === 1) this.#onChange(true);
    this.#pump();
  }

  #lost(kept: KeptConnection): void {
    this.#failing.delete(kept);
    this.#unanswered.delete(kept);
    if (this.#set.ready().length === 0) this.#onChange(false);
    this.#onDoubt();
    this.#pump();
  }

  /** The connection to publish to: the one in use while it is well, else the first that is. */
  #pick(): KeptConnection | null {
    const well = this.#set.ready().filter((kept) => !this.#failing.has(kept));
    const current = this.#current;
    if (current !== null && well.includes(current)) return current;
    const next = well[0] ?? null;
    if (next !== null) {
      if (current !== null && current !== next)
        this.#logger.warn({ from: current.address, to: next.address }, 'nsq: publishing to another nsqd');
      this.#current = next;
    }
    return next;
  }

  /** Sends what the one in use may have in flight; without one, what waits is of no use. */
  #pump(): void {
    let kept = this.#pick();
    if (kept === null) {
      for (const { publication } of this.#queue) this.#settle(publication, err('unreachable'));
      return;
    }
    while (kept !== null && this.#queue.length > 0) {
      if ((this.#unanswered.get(kept) ?? 0) >= NSQ_IN_FLIGHT_BATCHES_MAX) return;
      this.#send(kept, this.#queue.shift() as Batch);
      kept = this.#pick();
    }
  }

  #send(kept: KeptConnection, batch: Batch): void {
    const { responseTimeoutMs } = this.#timings;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#failing.add(kept);
      kept.ready?.reset(`no answer to a publish within ${responseTimeoutMs} ms`);
    }, responseTimeoutMs);
    this.#unanswered.set(kept, (this.#unanswered.get(kept) ?? 0) + 1);
    kept.ready?.publish(batch.topic, batch.bodies, (refusal) => {
      clearTimeout(timer);
      const unanswered = this.#unanswered.get(kept);
      if (unanswered !== undefined && unanswered > 0) this.#unanswered.set(kept, unanswered - 1);
      if (refusal === null) this.#taken(batch);
      else this.#refused(kept, batch, refusal, isLate ? 'timeout' : 'unreachable');
      if (!this.#closed) this.#pump();
    });
  }

  #taken({ publication, bodies, bytes }: Batch): void {
    this.#messages -= bodies.length;
    this.#bytes -= bytes;
    publication.batchesLeft--;
    if (publication.batchesLeft === 0) this.#settle(publication, ok(undefined));
  }

  /** To the next nsqd that has not refused it already, if there is one. */
  #refused(kept: KeptConnection, batch: Batch, refusal: NsqRefusal, failure: PublishFailure): void {
    // nsqd ends the connection after an error; nothing more may be sent to it until a new one is there.
    if (kept.ready !== null) this.#failing.add(kept);
    batch.refusedBy.add(kept);
    const { publication } = batch;
    const next = this.#closed ? null : this.#pick();
    const isTooLarge = 'answer' in refusal && /^E_BAD_(MESSAGE|BODY)/.test(refusal.answer);
    if ('answer' in refusal)
      this.#logger.error(
        { address: kept.address, topic: batch.topic, answer: refusal.answer },
        'nsq: refused',
      );
    if (!publication.isSettled && !isTooLarge && next !== null && !batch.refusedBy.has(next)) {
      this.#queue.unshift(batch);
      return;
    }
    this.#messages -= batch.bodies.length;
    this.#bytes -= batch.bytes;
    this.#settle(publication, err(this.#closed ? 'closed' : isTooLarge ? 'bad-size' : failure));
  }

  /** Resolves once; what of it was not sent is taken from the queue. */
  #settle(publication: Publication, result: Result<void, PublishFailure>): void {
    if (publication.isSettled) return;
    publication.isSettled = true;
    clearTimeout(publication.timer);
    this.#queue = this.#queue.filter((batch) => {
      if (batch.publication !== publication) return true;
      this.#messages -= batch.bodies.length;
      this.#bytes -= batch.bytes;
      return false;
    });
    publication.resolve(result);
  }
}

/** As few batches as the bounds of an MPUB allow, in order. */
function* batches(topic: string, bodies: readonly Uint8Array[], publication: Publication): Generator<Batch> {
  let some: Buffer[] = [];
  let bytes = 0;
  const batch = (): Batch => ({ publication, topic, bodies: some, bytes, refusedBy: new Set() });
  for (const body of bodies) {
    const bodyBytes = COUNT_BYTES + (some.length + 1) * LENGTH_BYTES + bytes + body.length;
    if (some.length === NSQ_BATCH_MESSAGES_MAX || bodyBytes > NSQ_BODY_BYTES_MAX) {
      yield batch();
      some = [];
      bytes = 0;
    }
    some.push(Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    bytes += body.length;
  }
  yield batch();
}
