// The bus over NSQ: publishes to one of several nsqds, subscribes to all of them.

import type { Logger } from 'pino';
import { assert } from '../../core/assert.js';
import type { Result } from '../../core/result.js';
import type { Bus, BusCounts, Message, PublishFailure, SubscribeOptions, Subscription } from '../bus.js';
import { PublishTally } from '../publish-tally.js';
import type { NsqModules } from './kept-connection.js';
import { NsqPublisher } from './nsq-publisher.js';
import { NSQ_TIMINGS, type NsqSettings, type NsqTimings } from './nsq-settings.js';
import { NsqSubscription } from './nsq-subscription.js';

export interface NsqBusOptions {
  readonly settings: NsqSettings;
  /** Of every subscription: each channel of a topic gets every message, the consumers of one channel share them. */
  readonly channel: string;
  readonly logger: Logger;
  /** Over NSQ_TIMINGS. */
  readonly timings?: Partial<NsqTimings>;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
}

export class NsqBus implements Bus {
  readonly keepsMessages = true;
  readonly #channel: string;
  readonly #modules: NsqModules;
  readonly #publisher: NsqPublisher;
  readonly #subscriptions = new Map<string, NsqSubscription>();
  /** Closed, and connected until what they had delivered is ended. */
  readonly #closing = new Set<NsqSubscription>();
  readonly #connectedListeners = new Set<(connected: boolean) => void>();
  readonly #doubtListeners = new Set<() => void>();
  readonly #tally = new PublishTally();
  #connected = false;
  #reconnects = 0;

  /** Connects at once, and again after every interruption. */
  constructor({ settings, channel, logger, timings, random }: NsqBusOptions) {
    this.#channel = channel;
    this.#modules = {
      settings,
      timings: { ...NSQ_TIMINGS, ...timings },
      logger,
      random: random ?? Math.random,
      onReconnect: () => {
        this.#reconnects++;
      },
    };
    this.#publisher = new NsqPublisher(
      this.#modules,
      (connected) => {
        this.#connected = connected;
        for (const listener of this.#connectedListeners) listener(connected);
      },
      () => {
        for (const listener of this.#doubtListeners) listener();
      },
    );
  }

  get connected(): boolean {
    return this.#connected;
  }

  get counts(): BusCounts {
    const all = [...this.#subscriptions.values(), ...this.#closing];
    return {
      publishes: this.#tally.counts,
      reconnects: this.#reconnects,
      outstanding: this.#publisher.outstanding,
      inFlight: all.reduce((sum, { inFlight }) => sum + inFlight, 0),
    };
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    this.#connectedListeners.add(listener);
    return () => this.#connectedListeners.delete(listener);
  }

  onDoubt(listener: () => void): () => void {
    this.#doubtListeners.add(listener);
    return () => this.#doubtListeners.delete(listener);
  }

  publish(topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>> {
    return this.#tally.count(this.#publisher.publish(topic, bodies));
  }

  subscribe(topic: string, handler: (message: Message) => void, options: SubscribeOptions): Subscription {
    assert(!this.#subscriptions.has(topic), () => `topic ${topic} has a subscription already`);
    const subscription = new NsqSubscription(topic, this.#channel, handler, options, this.#modules);
    this.#subscriptions.set(topic, subscription);
    return {
      close: () => {
        if (this.#subscriptions.get(topic) !== subscription) return;
        this.#subscriptions.delete(topic);
        subscription.close();
        for (const each of this.#closing) if (each.inFlight === 0) this.#closing.delete(each);
        if (subscription.inFlight > 0) this.#closing.add(subscription);
      },
    };
  }

  async close(): Promise<void> {
    this.#connected = false;
    this.#publisher.close();
    for (const subscription of [...this.#subscriptions.values(), ...this.#closing]) subscription.disconnect();
    this.#subscriptions.clear();
    this.#closing.clear();
    // The goodbyes leave in the next tick.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
