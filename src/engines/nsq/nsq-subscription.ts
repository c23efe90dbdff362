// One topic's messages from every nsqd that has some. nsqd is told how many may be on their way (RDY), in equal shares;
// the handler never has more than it asked for, also while shares move or connections come back.

import type { Message, SubscribeOptions, Subscription } from '../bus.js';
import type { KeptConnection, NsqModules } from './kept-connection.js';
import { KeptSet } from './kept-set.js';

/** Here and not with the handler yet. */
interface Waiting {
  readonly kept: KeptConnection;
  readonly message: Message;
}

export class NsqSubscription implements Subscription {
  readonly #handler: (message: Message) => void;
  readonly #maxInFlight: number;
  readonly #set: KeptSet;
  /** Bounded by what nsqd was told, so by twice the handler's bound while shares move. */
  #waiting: Waiting[] = [];
  /** What each connection was told. */
  readonly #told = new Map<KeptConnection, number>();
  /** With more nsqds than messages allowed, each has its turn. */
  readonly #rotation: NodeJS.Timeout;
  #turn = 0;
  /** With the handler. */
  readonly #handedOut = new Set<Message>();
  #delivering = false;
  #closed = false;

  constructor(
    topic: string,
    channel: string,
    handler: (message: Message) => void,
    options: SubscribeOptions,
    modules: NsqModules,
  ) {
    this.#handler = handler;
    this.#maxInFlight = options.maxInFlight;
    this.#rotation = setInterval(() => this.#rotate(), modules.timings.heartbeatMs);
    this.#rotation.unref();
    this.#set = new KeptSet({ kind: 'subscribe', topic, channel }, modules, {
      ready: () => this.#share(),
      message: (kept, message) => this.#accept(kept, message),
      lost: (kept) => this.#lost(kept),
    });
  }

  /** With the handler, neither finished nor requeued. */
  get inFlight(): number {
    return this.#handedOut.size;
  }

  /** See Subscription.close. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#rotation);
    for (const { ready } of this.#set.ready()) ready?.setReady(0);
    for (const { message } of this.#waiting.splice(0)) message.requeue(0);
    this.#set.retire();
    this.#closeIfDone();
  }

  /** Gives back what the handler still has, and lets go of the connections. */
  disconnect(): void {
    this.close();
    // nsqd would wait for the message timeout: it does not take the end of a connection for an answer.
    for (const message of this.#handedOut) message.requeue(0);
    this.#handedOut.clear();
    this.#set.close();
  }

  #accept(kept: KeptConnection, message: Message): void {
    if (this.#closed) {
      message.requeue(0);
      return;
    }
    this.#waiting.push({ kept, message });
    this.#deliver();
  }

  /** What it had sent and nobody has begun with comes again by itself. */
  #lost(kept: KeptConnection): void {
    this.#told.delete(kept);
    this.#waiting = this.#waiting.filter((waiting) => waiting.kept !== kept);
    this.#share();
  }

  /** Not recursive, though a handler that finishes at once calls back into it. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (!this.#closed && this.#handedOut.size < this.#maxInFlight) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#handedOut.add(next.message);
      this.#handler(this.#handed(next.message));
    }
    this.#delivering = false;
  }

  #handed(message: Message): Message {
    const end = (how: () => void): void => {
      if (!this.#handedOut.delete(message)) return;
      how();
      this.#deliver();
      this.#closeIfDone();
    };
    return {
      body: message.body,
      attempts: message.attempts,
      finish: () => end(() => message.finish()),
      requeue: (delayMs) => end(() => message.requeue(delayMs)),
      touch: () => {
        if (this.#handedOut.has(message)) message.touch();
      },
    };
  }

  #closeIfDone(): void {
    if (this.#closed && this.#handedOut.size === 0) this.#set.close();
  }

  #rotate(): void {
    if (this.#set.ready().length <= this.#maxInFlight) return;
    this.#turn += this.#maxInFlight;
    this.#share();
  }

  /** Tells each nsqd its part of what may be in flight. */
  #share(): void {
    if (this.#closed) return;
    const ready = this.#set.ready();
    const each = Math.floor(this.#maxInFlight / ready.length);
    const over = this.#maxInFlight % ready.length;
    ready.forEach((kept, at) => {
      const place = (at + ready.length - (this.#turn % ready.length)) % ready.length;
      const count = each + (place < over ? 1 : 0);
      if (this.#told.get(kept) === count) return;
      this.#told.set(kept, count);
      kept.ready?.setReady(count);
    });
  }
}
