// The receiving half of one topic of the embedded link: a buffer that the sender's window bounds, and at most
// `maxInFlight` messages with the handler.

import { LINK_WINDOW_MESSAGES } from '../core/limits.js';
import type { Message } from './bus.js';
import type { FrameMessage } from './link-frames.js';
import type { LinkSession } from './link-session.js';

interface Delivery {
  readonly session: LinkSession;
  readonly id: number;
  readonly body: Uint8Array;
  readonly attempts: number;
}

interface InboxEvents {
  /** The handler is done with a message; its session may be over by now. */
  readonly finished: (session: LinkSession, id: number) => void;
  /** Messages of the present session that nobody will handle. */
  readonly refused: (ids: readonly number[]) => void;
}

export class LinkInbox {
  readonly #handler: (message: Message) => void;
  readonly #maxInFlight: number;
  readonly #events: InboxEvents;
  /** Ready for delivery, oldest first; an index moves instead of the array. */
  #waiting: Delivery[] = [];
  #waitingHead = 0;
  readonly #delayed = new Map<NodeJS.Timeout, Delivery>();
  #session: LinkSession | null = null;
  /** Ids of this session that are not finished: what the sender's window counts. */
  readonly #unfinished = new Set<number>();
  #inFlight = 0;
  #delivering = false;
  #closed = false;

  constructor(handler: (message: Message) => void, maxInFlight: number, events: InboxEvents) {
    this.#handler = handler;
    this.#maxInFlight = maxInFlight;
    this.#events = events;
  }

  /** Takes messages in; returns how the sender broke the rules, or null. */
  accept(session: LinkSession, messages: readonly FrameMessage[]): string | null {
    if (this.#unfinished.size + messages.length > LINK_WINDOW_MESSAGES)
      return 'more messages than the window allows';
    this.#session = session;
    for (const { id, body } of messages) {
      if (this.#unfinished.has(id)) return 'the id of a message that is not finished';
      this.#unfinished.add(id);
      this.#waiting.push({ session, id, body, attempts: 1 });
    }
    this.#deliver();
    return null;
  }

  /** With the handler, neither finished nor requeued. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The session is over: its messages will come again, as new ones. */
  forget(): void {
    this.#session = null;
    this.#unfinished.clear();
    this.#dropUndelivered();
  }

  /** No more deliveries; what is with the handler may still be finished. */
  close(): void {
    this.#closed = true;
    const undelivered = [...this.#waiting.slice(this.#waitingHead), ...this.#delayed.values()];
    this.#events.refused(undelivered.map((delivery) => delivery.id));
    this.#dropUndelivered();
  }

  #dropUndelivered(): void {
    this.#waiting = [];
    this.#waitingHead = 0;
    for (const timer of this.#delayed.keys()) clearTimeout(timer);
    this.#delayed.clear();
  }

  /** Not recursive, though a handler that finishes at once calls back into it. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (!this.#closed && this.#inFlight < this.#maxInFlight && this.#waitingHead < this.#waiting.length) {
      const delivery = this.#waiting[this.#waitingHead++] as Delivery;
      if (this.#waitingHead === this.#waiting.length || this.#waitingHead >= LINK_WINDOW_MESSAGES) {
        this.#waiting = this.#waiting.slice(this.#waitingHead);
        this.#waitingHead = 0;
      }
      this.#inFlight++;
      this.#handler(this.#message(delivery));
    }
    this.#delivering = false;
  }

  #message(delivery: Delivery): Message {
    let over = false;
    const end = (): boolean => {
      if (over) return false;
      over = true;
      this.#inFlight--;
      return true;
    };
    return {
      body: delivery.body,
      attempts: delivery.attempts,
      finish: () => {
        if (!end()) return;
        // An id of an earlier session may be in use again by now.
        if (delivery.session === this.#session) this.#unfinished.delete(delivery.id);
        this.#events.finished(delivery.session, delivery.id);
        this.#deliver();
      },
      requeue: (delayMs) => {
        if (!end()) return;
        if (delivery.session === this.#session) {
          if (this.#closed) this.#events.refused([delivery.id]);
          else this.#redeliver(delivery, delayMs);
        }
        this.#deliver();
      },
      touch: () => {
        // Nothing redelivers by time here: as long as the session lives, the sender waits.
      },
    };
  }

  #redeliver(delivery: Delivery, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      this.#waiting.push({ ...delivery, attempts: delivery.attempts + 1 });
      this.#deliver();
    }, delayMs);
    this.#delayed.set(timer, delivery);
  }
}
