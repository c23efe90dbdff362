// Keeps a connection to one nsqd: makes a new one after each end, with jittered backoff, until it is told to stop.

import type { Logger } from 'pino';
import type { Message } from '../bus.js';
import { NsqConnection, type NsqRole } from './nsq-connection.js';
import type { NsqSettings, NsqTimings } from './nsq-settings.js';

/** What every connection of a bus is made with. */
export interface NsqModules {
  readonly settings: NsqSettings;
  readonly timings: NsqTimings;
  readonly logger: Logger;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** A connection has come back after it was lost. */
  readonly onReconnect: () => void;
}

export interface KeptEvents {
  readonly ready: (kept: KeptConnection) => void;
  readonly message: (kept: KeptConnection, message: Message) => void;
  /** A connection that was ready is gone; another one is being made unless it was retired. */
  readonly lost: (kept: KeptConnection) => void;
}

export class KeptConnection {
  readonly address: string;
  readonly #role: NsqRole;
  readonly #modules: NsqModules;
  readonly #events: KeptEvents;
  #connection: NsqConnection | null = null;
  #isReady = false;
  #readySinceMs = 0;
  #wasReady = false;
  #waitMs: number;
  #timer: NodeJS.Timeout | undefined;
  #retired = false;
  #complained = false;

  /** Connects at once. */
  constructor(address: string, role: NsqRole, modules: NsqModules, events: KeptEvents) {
    this.address = address;
    this.#role = role;
    this.#modules = modules;
    this.#events = events;
    this.#waitMs = modules.timings.reconnectMinMs;
    this.#open();
  }

  /** The connection while nsqd has let us in, else null. */
  get ready(): NsqConnection | null {
    return this.#isReady ? this.#connection : null;
  }

  /** True once nothing will come of it any more: it was retired, and its last connection has ended. */
  get isOver(): boolean {
    return this.#retired && this.#connection === null;
  }

  /** nsqd is no longer named: what there is goes on, and is not made again. One that is not ready is given up. */
  retire(): void {
    this.#retired = true;
    if (!this.#isReady) this.close();
  }

  /** Named again after all. */
  restore(): void {
    if (!this.#retired) return;
    this.#retired = false;
    if (this.#connection === null) this.#open();
  }

  /** Ends it for good, after what was said in this turn. */
  close(): void {
    this.#retired = true;
    clearTimeout(this.#timer);
    this.#isReady = false;
    this.#connection?.close();
    this.#connection = null;
  }

  #open(): void {
    const { settings, timings, logger } = this.#modules;
    const { address } = this;
    this.#connection = new NsqConnection(address, this.#role, settings, timings, {
      ready: () => {
        this.#isReady = true;
        this.#readySinceMs = performance.now();
        if (this.#complained || !this.#wasReady)
          logger.info({ address, for: this.#purpose }, 'nsq: connected');
        if (this.#wasReady) this.#modules.onReconnect();
        this.#wasReady = true;
        this.#complained = false;
        this.#events.ready(this);
      },
      message: (message) => this.#events.message(this, message),
      ended: (reason) => this.#ended(reason),
    });
  }

  #ended(reason: string): void {
    const { timings, logger, random } = this.#modules;
    const wasReady = this.#isReady;
    this.#connection = null;
    this.#isReady = false;
    // A connection that ends as soon as it is used must not make a storm of new ones.
    if (wasReady && performance.now() - this.#readySinceMs >= timings.stableMs)
      this.#waitMs = timings.reconnectMinMs;
    if (!this.#retired) {
      // Said once per outage; a metric shows how long it lasts.
      if (!this.#complained)
        logger.warn(
          { address: this.address, for: this.#purpose, reason },
          'nsq: no connection; trying again',
        );
      this.#complained = true;
      // Half the wait is fixed, so that a dead nsqd is not hammered; half is jitter.
      this.#timer = setTimeout(() => this.#open(), this.#waitMs / 2 + (random() * this.#waitMs) / 2);
      this.#waitMs = Math.min(this.#waitMs * 2, timings.reconnectMaxMs);
    }
    if (wasReady) this.#events.lost(this);
  }

  get #purpose(): string {
    return this.#role.kind === 'publish' ? 'publishing' : this.#role.topic;
  }
}
