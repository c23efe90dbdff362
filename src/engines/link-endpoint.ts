// One end of the embedded link as a bus: it survives sessions. What was published and not confirmed when a session
// ends fails with `unreachable`, and the producer's outbox sends it again; what was delivered and not finished is
// simply forgotten here, for the same reason.

import { assert } from '../core/assert.js';
import { LINK_PUBLISH_TIMEOUT_MS, LINK_TOPICS_MAX } from '../core/limits.js';
import type { Result } from '../core/result.js';
import type { Bus, BusCounts, Message, PublishFailure, SubscribeOptions, Subscription } from './bus.js';
import type { Frame } from './link-frames.js';
import { LinkInbox } from './link-inbox.js';
import { LinkOutbox } from './link-outbox.js';
import type { LinkSession } from './link-session.js';
import { PublishTally } from './publish-tally.js';

/** The bus over whichever session is attached; the server and the client attach and detach. */
export class LinkEndpoint implements Bus {
  readonly keepsMessages = false;
  readonly #outbox: LinkOutbox;
  readonly #inboxes = new Map<string, LinkInbox>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #finished: number[] = [];
  readonly #close: () => Promise<void>;
  readonly #tally = new PublishTally();
  #sessions = 0;
  #session: LinkSession | null = null;
  #finishedScheduled = false;

  /** @param close lets go of the listening or connecting side */
  constructor(close: () => Promise<void>, publishTimeoutMs: number = LINK_PUBLISH_TIMEOUT_MS) {
    this.#close = close;
    this.#outbox = new LinkOutbox(publishTimeoutMs);
  }

  get connected(): boolean {
    return this.#session !== null;
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A session that ends fails what it was entrusted with, so nothing that was taken can be lost. */
  onDoubt(): () => void {
    return () => undefined;
  }

  get counts(): BusCounts {
    let inFlight = 0;
    for (const inbox of this.#inboxes.values()) inFlight += inbox.inFlight;
    return {
      publishes: this.#tally.counts,
      reconnects: Math.max(0, this.#sessions - 1),
      outstanding: this.#outbox.outstanding,
      inFlight,
    };
  }

  publish(topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>> {
    return this.#tally.count(this.#outbox.publish(topic, bodies));
  }

  subscribe(topic: string, handler: (message: Message) => void, options: SubscribeOptions): Subscription {
    assert(!this.#inboxes.has(topic), () => `topic ${topic} has a subscription already`);
    assert(this.#inboxes.size < LINK_TOPICS_MAX, 'too many topics for one link');
    const inbox = new LinkInbox(handler, options.maxInFlight, {
      finished: (session, id) => this.#finish(session, id),
      refused: (ids) => this.#outbox.refuse(ids),
    });
    this.#inboxes.set(topic, inbox);
    return {
      close: () => {
        inbox.close();
        if (this.#inboxes.get(topic) === inbox) this.#inboxes.delete(topic);
      },
    };
  }

  async close(): Promise<void> {
    this.#outbox.close();
    for (const inbox of this.#inboxes.values()) inbox.close();
    this.#inboxes.clear();
    this.#flushFinished();
    this.#session?.close('closed by this side');
    await this.#close();
  }

  /** A session has said hello. */
  attach(session: LinkSession): void {
    assert(this.#session === null, 'a link has one session at a time');
    this.#session = session;
    this.#sessions++;
    this.#outbox.attach(session);
    for (const listener of this.#listeners) listener(true);
  }

  /** A session is over; any but the attached one is ignored. */
  detach(session: LinkSession): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#finished.length = 0;
    for (const inbox of this.#inboxes.values()) inbox.forget();
    this.#outbox.detach();
    for (const listener of this.#listeners) listener(false);
  }

  /** A frame of the attached session; returns what is wrong with it, or null. */
  accept(session: LinkSession, frame: Frame): string | null {
    if (session !== this.#session) return 'a frame outside of the attached session';
    switch (frame.type) {
      case 'publish': {
        const inbox = this.#inboxes.get(frame.topic);
        if (inbox !== undefined) return inbox.accept(session, frame.messages);
        this.#outbox.refuse(frame.messages.map((message) => message.id));
        return null;
      }
      case 'finished':
        return this.#outbox.ended(frame.ids, true);
      case 'refused':
        return this.#outbox.ended(frame.ids, false);
      default:
        return `an unexpected ${frame.type} frame`;
    }
  }

  /** The session can take more. */
  drained(session: LinkSession): void {
    if (session === this.#session) this.#outbox.drained();
  }

  /** Confirmations of one event turn share a frame. */
  #finish(session: LinkSession, id: number): void {
    if (session !== this.#session) return;
    this.#finished.push(id);
    if (this.#finishedScheduled) return;
    this.#finishedScheduled = true;
    setImmediate(() => {
      this.#finishedScheduled = false;
      this.#flushFinished();
    });
  }

  #flushFinished(): void {
    if (this.#finished.length > 0) this.#outbox.confirm(this.#finished.splice(0));
  }
}
