// The message bus as the rest of the system sees it. Two implementations stand behind it: the embedded link between
// the edge and the ledger of one machine (local-link.ts), and NSQ (nsq/). Delivery is at least once, in any order: every
// consumer must be idempotent, and every producer keeps what it sent until it knows the end of it.

import type { Result } from '../core/result.js';

/** Why nothing is known to have been taken; each may be tried again. */
export type PublishFailure =
  /** No other side is connected, or it went away before it confirmed: it may have the messages. */
  | 'unreachable'
  /** Neither room nor a confirmation within the publish timeout. The link has not sent them; a broker may have them. */
  | 'timeout'
  /** The bounded queue of waiting messages is full: the messages were not sent. */
  | 'overloaded'
  /** A body is empty or larger than the bus carries: sending it again cannot help. */
  | 'bad-size'
  /** This side has been closed. */
  | 'closed';

export interface Publisher {
  /**
   * Hands over the bodies in order and resolves when the bus has taken charge of all of them; it never rejects.
   * The embedded link takes charge when the other side's handler has *finished* each message, so the promise may
   * be pending for as long as a rate-limited consumer needs, and callers bound what they have outstanding. A
   * broker takes charge when it has queued them. After a failure some of them may have been delivered.
   * The bodies must not change until the promise resolves.
   */
  publish(topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>>;
  /** True while there is somebody to publish to. */
  readonly connected: boolean;
  /** Calls back on every change of `connected`; returns the function that stops it. */
  onConnectedChange(listener: (connected: boolean) => void): () => void;
}

/** One delivered message. Exactly one of `finish` and `requeue` ends it; what is called after that has no effect. */
export interface Message {
  readonly body: Uint8Array;
  /** 1 for the first delivery that this bus knows of. */
  readonly attempts: number;
  /** The consumer is done with it: it is not delivered again. */
  finish(): void;
  /** Not now: it is delivered again after about this delay. */
  requeue(delayMs: number): void;
  /** Still at work on it: puts off a broker's redelivery timeout. */
  touch(): void;
}

export interface SubscribeOptions {
  /** Messages delivered and not yet finished or requeued. */
  readonly maxInFlight: number;
}

export interface Subscription {
  /** Delivers nothing more; messages already delivered may still be finished. */
  close(): void;
}

export interface Subscriber {
  /** Delivers the topic's messages to the handler, which must not throw. One subscription per topic. */
  subscribe(topic: string, handler: (message: Message) => void, options: SubscribeOptions): Subscription;
}

/** How a publish ended. */
export type PublishEnd = 'ok' | PublishFailure;

/** What a bus has done since it was made, and what it holds now. */
export interface BusCounts {
  /** Calls of publish by how they ended. */
  readonly publishes: Readonly<Record<PublishEnd, number>>;
  /** Connections that came back after they were lost. */
  readonly reconnects: number;
  /** Messages given to publish whose end is not known yet. */
  readonly outstanding: number;
  /** Messages delivered and neither finished nor requeued. */
  readonly inFlight: number;
}

/** One connection to the bus, both ways. */
export interface Bus extends Publisher, Subscriber {
  /**
   * Calls back when messages that the bus had taken charge of may be lost, which messages is not known: a broker went
   * away with what was in its memory. The embedded link never does. Returns the function that stops it.
   */
  onDoubt(listener: () => void): () => void;
  /** True where a topic holds what nobody listens to yet, so that something can be put aside there. */
  readonly keepsMessages: boolean;
  readonly counts: BusCounts;
  /** Fails what is outstanding with `closed`, and lets go of the connection. */
  close(): Promise<void>;
}
