// The sending half of the embedded link: publishes wait in a bounded queue per topic, and at most a window of
// messages per topic is with the other side, unfinished.

import { assert } from '../core/assert.js';
import {
  LINK_FRAME_BYTES_MAX,
  LINK_MESSAGE_BYTES_MAX,
  LINK_QUEUE_MESSAGES_MAX,
  LINK_TOPICS_MAX,
  LINK_WINDOW_MESSAGES,
} from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { PublishFailure } from './bus.js';
import {
  BODY_OVERHEAD_BYTES,
  idsFrame,
  nextId,
  PUBLISH_OVERHEAD_BYTES,
  publishFrame,
} from './link-frames.js';
import type { LinkSession } from './link-session.js';

/** One call of publish. */
interface Publication {
  readonly bodies: readonly Uint8Array[];
  readonly resolve: (result: Result<void, PublishFailure>) => void;
  sentCount: number;
  endedCount: number;
  timer: NodeJS.Timeout | undefined;
}

interface TopicQueue {
  readonly topic: string;
  /** Publications with bodies that are not sent yet, oldest first. */
  waiting: Publication[];
  waitingMessages: number;
  /** Sent and neither finished nor refused. */
  unfinished: number;
}

export class LinkOutbox {
  readonly #publishTimeoutMs: number;
  readonly #topics = new Map<string, TopicQueue>();
  readonly #sent = new Map<number, { readonly publication: Publication; readonly queue: TopicQueue }>();
  #session: LinkSession | null = null;
  #nextId = 0;
  #writable = false;
  #closed = false;

  constructor(publishTimeoutMs: number) {
    this.#publishTimeoutMs = publishTimeoutMs;
  }

  /** Waiting, or sent and not finished. */
  get outstanding(): number {
    let waiting = 0;
    for (const queue of this.#topics.values()) waiting += queue.waitingMessages;
    return waiting + this.#sent.size;
  }

  /** See Publisher.publish. */
  async publish(topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>> {
    if (this.#closed) return err('closed');
    if (bodies.length === 0) return ok(undefined);
    if (bodies.some((body) => body.length === 0 || body.length > LINK_MESSAGE_BYTES_MAX))
      return err('bad-size');
    if (this.#session === null) return err('unreachable');
    const queue = this.#queue(topic);
    if (queue.waitingMessages + bodies.length > LINK_QUEUE_MESSAGES_MAX) return err('overloaded');
    return new Promise((resolve) => {
      const publication: Publication = { bodies, resolve, sentCount: 0, endedCount: 0, timer: undefined };
      queue.waiting.push(publication);
      queue.waitingMessages += bodies.length;
      this.pump();
      if (publication.sentCount === 0 && this.#session !== null) {
        publication.timer = setTimeout(() => this.#timeout(queue, publication), this.#publishTimeoutMs);
      }
    });
  }

  attach(session: LinkSession): void {
    assert(this.#sent.size === 0, 'a new session starts with nothing sent');
    this.#session = session;
    this.#writable = true;
  }

  /** The socket has room again. */
  drained(): void {
    this.#writable = true;
    this.pump();
  }

  /** The session is gone: everything that was entrusted to it has an unknown end. */
  detach(): void {
    this.#session = null;
    this.#writable = false;
    this.#failAll('unreachable');
  }

  close(): void {
    this.#closed = true;
    this.#failAll('closed');
  }

  /** Tells the other side that these of its messages are finished. */
  confirm(ids: readonly number[]): void {
    this.#session?.send(idsFrame('finished', ids));
  }

  /** Tells the other side that nobody here listens to the topic of these messages. */
  refuse(ids: readonly number[]): void {
    if (ids.length > 0) this.#session?.send(idsFrame('refused', ids));
  }

  /** The other side finished or refused messages of ours; returns what is wrong with that, or null. */
  ended(ids: readonly number[], finished: boolean): string | null {
    for (const id of ids) {
      const entry = this.#sent.get(id);
      if (entry === undefined) return 'the end of a message that was not sent';
      this.#sent.delete(id);
      entry.queue.unfinished--;
      const { publication } = entry;
      publication.endedCount++;
      if (!finished) this.#settle(entry.queue, publication, err('unreachable'));
      else if (publication.endedCount === publication.bodies.length) {
        this.#settle(entry.queue, publication, ok(undefined));
      }
    }
    this.pump();
    return null;
  }

  /** Sends what the windows and the socket have room for. */
  pump(): void {
    const session = this.#session;
    if (session === null) return;
    for (const queue of this.#topics.values()) {
      while (this.#writable && queue.waiting.length > 0 && queue.unfinished < LINK_WINDOW_MESSAGES) {
        this.#writable = session.send(this.#nextFrame(queue));
      }
    }
  }

  /** Takes messages from the head of the queue until a frame or the window is full. */
  #nextFrame(queue: TopicQueue): Buffer {
    const firstId = this.#nextId;
    const bodies: Uint8Array[] = [];
    let bytes = PUBLISH_OVERHEAD_BYTES;
    while (queue.waiting.length > 0 && queue.unfinished < LINK_WINDOW_MESSAGES) {
      const publication = queue.waiting[0] as Publication;
      const body = publication.bodies[publication.sentCount] as Uint8Array;
      bytes += BODY_OVERHEAD_BYTES + body.length;
      if (bytes > LINK_FRAME_BYTES_MAX) break;
      bodies.push(body);
      this.#sent.set(this.#nextId, { publication, queue });
      this.#nextId = nextId(this.#nextId);
      publication.sentCount++;
      queue.waitingMessages--;
      queue.unfinished++;
      clearTimeout(publication.timer);
      if (publication.sentCount === publication.bodies.length) queue.waiting.shift();
    }
    return publishFrame(queue.topic, firstId, bodies);
  }

  #timeout(queue: TopicQueue, publication: Publication): void {
    assert(publication.sentCount === 0, 'the timer of a publication stops when its first message is sent');
    this.#settle(queue, publication, err('timeout'));
  }

  /** Resolves once; bodies that were not sent are taken from the queue. */
  #settle(queue: TopicQueue, publication: Publication, result: Result<void, PublishFailure>): void {
    clearTimeout(publication.timer);
    const at = queue.waiting.indexOf(publication);
    if (at >= 0) {
      queue.waiting.splice(at, 1);
      queue.waitingMessages -= publication.bodies.length - publication.sentCount;
    }
    publication.resolve(result);
  }

  #failAll(failure: PublishFailure): void {
    const publications = new Set<Publication>();
    for (const { publication } of this.#sent.values()) publications.add(publication);
    for (const queue of this.#topics.values())
      for (const publication of queue.waiting) publications.add(publication);
    this.#sent.clear();
    this.#topics.clear();
    for (const publication of publications) {
      clearTimeout(publication.timer);
      publication.resolve(err(failure));
    }
  }

  #queue(topic: string): TopicQueue {
    let queue = this.#topics.get(topic);
    if (queue === undefined) {
      assert(this.#topics.size < LINK_TOPICS_MAX, 'too many topics for one link');
      queue = { topic, waiting: [], waitingMessages: 0, unfinished: 0 };
      this.#topics.set(topic, queue);
    }
    return queue;
  }
}
