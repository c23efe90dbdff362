// Tells the edge of balances that changed for another reason than an outcome: from the store's durable outbox, one
// batch at a time, and a batch leaves the outbox only when the bus has taken charge of it.

import type { Logger } from 'pino';
import { LEDGER_BALANCES_BATCH_MAX, LEDGER_RETRY_MAX_MS, LEDGER_RETRY_MIN_MS } from '../core/limits.js';
import { encodeMessage, TOPICS } from '../core/messages.js';
import type { Publisher } from '../engines/bus.js';
import type { LedgerStore, StoreFailure } from './store.js';
import { storeFailure } from './store-failure.js';

export interface BalanceSenderModules {
  readonly store: LedgerStore;
  readonly publisher: Publisher;
  readonly logger: Logger;
  readonly onFatal: (failure: StoreFailure) => void;
}

export class BalanceSender {
  readonly #modules: BalanceSenderModules;
  readonly #unlisten: () => void;
  #running: Promise<void> | null = null;
  #isWanted = false;
  #stopped = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryMs = LEDGER_RETRY_MIN_MS;

  constructor(modules: BalanceSenderModules) {
    this.#modules = modules;
    this.#unlisten = modules.publisher.onConnectedChange((connected) => {
      if (connected) this.kick();
    });
  }

  /** There may be something to send. */
  kick(): void {
    this.#isWanted = true;
    if (this.#stopped || this.#running !== null || !this.#modules.publisher.connected) return;
    clearTimeout(this.#retryTimer);
    this.#running = this.#run()
      .catch((error: unknown) => this.#modules.onFatal(storeFailure(error)))
      .finally(() => {
        this.#running = null;
        // A kick that came while the last run was ending.
        if (this.#isWanted) this.kick();
      });
  }

  /** Sends nothing more and waits for the batch that is on its way; the bus ends that wait when it closes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    clearTimeout(this.#retryTimer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { store, publisher } = this.#modules;
    while (this.#isWanted && !this.#stopped) {
      this.#isWanted = false;
      const queued = await store.queuedBalances(LEDGER_BALANCES_BATCH_MAX);
      if (!queued.ok) return this.#retryLater(queued.error.message);
      const { messages, upTo } = queued.value;
      if (upTo === 0) return;
      const published = await publisher.publish(TOPICS.balances, messages.map(encodeMessage));
      if (!published.ok) return this.#retryLater(published.error);
      const sent = await store.balancesSent(upTo);
      if (!sent.ok) return this.#retryLater(sent.error.message);
      this.#retryMs = LEDGER_RETRY_MIN_MS;
      this.#isWanted = true;
    }
  }

  #retryLater(failure: string): void {
    if (this.#stopped) return;
    this.#modules.logger.debug({ failure }, 'ledger: balances are sent again later');
    this.#retryTimer = setTimeout(() => this.kick(), this.#retryMs);
    this.#retryMs = Math.min(LEDGER_RETRY_MAX_MS, this.#retryMs * 2);
    // Not at once: the timer asks again.
    this.#isWanted = false;
  }
}
