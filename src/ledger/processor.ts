// The heart of the ledger: takes investments from the bus at its own pace, settles them in groups, one durable
// transaction each, and hands the outcomes back. A message is finished only when both have happened, so a death at
// any instant only means that it comes again, and the store then gives the same outcome again.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import {
  LEDGER_DRAIN_MS,
  LEDGER_GROUP_MAX,
  LEDGER_RETRY_MAX_MS,
  LEDGER_RETRY_MIN_MS,
  LEDGER_TOUCH_MS,
} from '../core/limits.js';
import { encodeMessage, type InvestmentMessage, TOPICS } from '../core/messages.js';
import type { Message, Publisher } from '../engines/bus.js';
import type { DeadLetters } from '../engines/dead-letters.js';
import { readInvestment } from './investment-reader.js';
import type { LedgerMetrics } from './metrics.js';
import type { LedgerStore, Settlement, StoreFailure } from './store.js';
import { storeFailure } from './store-failure.js';
import type { TokenBucket } from './token-bucket.js';

export interface ProcessorModules {
  readonly store: Pick<LedgerStore, 'settle'>;
  readonly publisher: Publisher;
  /**
   * For what can never be settled. An investment that can be, and has to wait, is not put aside however often it comes:
   * deliveries that ended with this process are not told from those that were given back.
   */
  readonly deadLetters: DeadLetters;
  readonly bucket: TokenBucket;
  readonly metrics: LedgerMetrics;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** The process must end: the store can no longer be trusted, or is another ledger's. */
  readonly onFatal: (failure: StoreFailure) => void;
}

/** A message in hand. */
interface Held {
  message: Message;
  investment: InvestmentMessage;
}

export class Processor {
  readonly #modules: ProcessorModules;
  readonly #touches: NodeJS.Timeout;
  /** Everything delivered and not finished, by id; the bus bounds it. Insertion order is order of arrival. */
  readonly #held = new Map<string, Held>();
  /** Of those, what waits for a transaction. */
  #queue: Held[] = [];
  #handOvers = 0;
  #isRunning = false;
  #stopped = false;
  #wake: (() => void) | null = null;
  #onIdle: (() => void) | null = null;

  constructor(modules: ProcessorModules) {
    this.#modules = modules;
    this.#touches = setInterval(() => this.#touch(), LEDGER_TOUCH_MS);
    this.#touches.unref();
  }

  /** Takes a message from the bus. */
  accept(message: Message): void {
    const { metrics, deadLetters } = this.#modules;
    const read = readInvestment(message.body);
    if (!read.ok) {
      metrics.processed('poison');
      deadLetters.bury(TOPICS.investments, message, 'unreadable', read.error);
      return;
    }
    if (this.#stopped) {
      message.requeue(LEDGER_RETRY_MIN_MS);
      return;
    }
    const investment = read.value;
    const twin = this.#held.get(investment.id);
    if (twin !== undefined) {
      this.#acceptTwin(twin, investment, message);
      return;
    }
    const held = { message, investment };
    this.#held.set(investment.id, held);
    this.#queue.push(held);
    this.#start();
  }

  /** Investments in hand, by round. */
  backlogByRound(): ReadonlyMap<string, number> {
    const backlog = new Map<string, number>();
    for (const { investment } of this.#held.values()) {
      backlog.set(investment.round, (backlog.get(investment.round) ?? 0) + 1);
    }
    return backlog;
  }

  get backlog(): number {
    return this.#held.size;
  }

  /** Seconds since the acceptance of the oldest investment in hand. */
  lagS(): number {
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { investment } of this.#held.values())
      oldestMs = Math.min(oldestMs, Date.parse(investment.acceptedAt));
    return Number.isFinite(oldestMs) ? Math.max(0, this.#modules.nowMs() - oldestMs) / 1000 : 0;
  }

  /** Finishes the group in work and its hand-over, for a bounded time; gives everything else back to the bus. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#touches);
    for (const held of this.#queue.splice(0)) this.#giveBack(held, LEDGER_RETRY_MIN_MS);
    this.#wake?.();
    if (!this.#isRunning && this.#handOvers === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LEDGER_DRAIN_MS);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The same id while the first is still in hand: one of the two is enough. */
  #acceptTwin(twin: Held, investment: InvestmentMessage, message: Message): void {
    const { metrics, deadLetters } = this.#modules;
    const member = (['round', 'investor', 'amount', 'currency'] as const).find(
      (name) => twin.investment[name] !== investment[name],
    );
    if (member !== undefined) {
      metrics.processed('conflict');
      const detail = `${investment.id}: another ${member} than that of the same id in hand`;
      deadLetters.bury(TOPICS.investments, message, 'conflict', detail);
      return;
    }
    metrics.processed('replayed');
    // The newer delivery is kept: the connection that brought the older one may be gone, and with it the way to
    // have it again.
    twin.message.finish();
    twin.message = message;
    // Sent again after the cap was raised: the larger one counts.
    if (investment.cap > twin.investment.cap) twin.investment = { ...twin.investment, cap: investment.cap };
    // Sent again by a later owner: it is not stale because an earlier one sent it first.
    if (investment.epoch > twin.investment.epoch)
      twin.investment = { ...twin.investment, epoch: investment.epoch };
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#run()
      .catch((error: unknown) => this.#modules.onFatal(storeFailure(error)))
      .finally(() => {
        this.#isRunning = false;
        this.#reportIdle();
      });
  }

  /** What has arrived by the next turn of the event loop shares a transaction, as far as the rate allows. */
  async #run(): Promise<void> {
    const { bucket, metrics } = this.#modules;
    await nextTurn();
    while (this.#queue.length > 0 && !this.#stopped) {
      const granted = bucket.take(Math.min(this.#queue.length, LEDGER_GROUP_MAX));
      if (granted === 0) {
        const waitMs = bucket.waitMs();
        metrics.rateWait(waitMs);
        await this.#sleep(waitMs);
        continue;
      }
      const goesOn = await this.#settle(this.#queue.splice(0, granted));
      if (!goesOn) return;
      await nextTurn();
    }
  }

  /** False after a failure that this process cannot survive. */
  async #settle(group: readonly Held[]): Promise<boolean> {
    const { store, bucket, metrics, deadLetters, logger, nowMs, onFatal } = this.#modules;
    const startedMs = performance.now();
    const settled = await store.settle(group.map((held) => held.investment));
    if (!settled.ok) {
      logger.error({ problem: settled.error.message }, 'ledger: the store failed');
      if (settled.error.isFatal) {
        this.#stopped = true;
        onFatal(settled.error);
        return false;
      }
      for (const held of group) this.#giveBack(held, retryMs(held.message.attempts));
      return true;
    }
    metrics.committed(group.length, performance.now() - startedMs);
    const isFree = (settlement: Settlement): boolean => settlement.kind !== 'outcome' || settlement.isReplay;
    bucket.giveBack(settled.value.filter(isFree).length);
    const bodies: Uint8Array[] = [];
    const handedOver: Held[] = [];
    for (const [index, held] of group.entries()) {
      const settlement = settled.value[index];
      if (settlement === undefined) continue;
      this.#count(held, settlement, nowMs());
      if (settlement.kind === 'conflict') {
        const { id } = held.investment;
        this.#held.delete(id);
        deadLetters.bury(TOPICS.investments, held.message, 'conflict', `${id}: ${settlement.detail}`);
        continue;
      }
      if (settlement.kind !== 'outcome') {
        this.#finish(held);
        continue;
      }
      bodies.push(encodeMessage(settlement.outcome));
      handedOver.push(held);
    }
    this.#handOver(handedOver, bodies);
    return true;
  }

  #count(held: Held, settlement: Settlement, nowMs: number): void {
    const { metrics } = this.#modules;
    const { acceptedAt } = held.investment;
    if (settlement.kind === 'conflict') {
      metrics.processed('conflict');
    } else if (settlement.kind === 'stale') {
      metrics.processed('stale');
      this.#modules.logger.warn(
        { id: held.investment.id, epoch: settlement.epoch },
        'ledger: an investment of an older epoch is dropped',
      );
    } else if (settlement.isReplay) {
      metrics.processed('replayed');
    } else {
      metrics.processed(settlement.outcome.reason ?? 'settled');
      metrics.decidedAfter(nowMs - Date.parse(acceptedAt));
    }
  }

  /** Not waited for by the next group: how many are on their way is bounded by what the bus has in flight. */
  #handOver(group: readonly Held[], bodies: readonly Uint8Array[]): void {
    const { publisher, metrics } = this.#modules;
    if (group.length === 0) return;
    this.#handOvers++;
    publisher
      .publish(TOPICS.outcomes, bodies)
      .then((published) => {
        if (!published.ok) metrics.handOverFailed(group.length);
        for (const held of group) {
          if (published.ok) this.#finish(held);
          else this.#giveBack(held, retryMs(held.message.attempts));
        }
      })
      .catch((error: unknown) => this.#modules.onFatal(storeFailure(error)))
      .finally(() => {
        this.#handOvers--;
        this.#reportIdle();
      });
  }

  /** What waits for its turn behind the rate, or for a store or a bus that is slow, is not to come a second time. */
  #touch(): void {
    for (const { message } of this.#held.values()) message.touch();
  }

  #finish(held: Held): void {
    this.#held.delete(held.investment.id);
    held.message.finish();
  }

  #giveBack(held: Held, delayMs: number): void {
    this.#held.delete(held.investment.id);
    held.message.requeue(delayMs);
  }

  /** Cut short by a stop. */
  async #sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  #reportIdle(): void {
    if (!this.#isRunning && this.#handOvers === 0) this.#onIdle?.();
    // What arrived between the end of a run and its report starts the next one.
    if (!this.#isRunning && this.#queue.length > 0 && !this.#stopped) this.#start();
  }
}

const retryMs = (attempts: number): number =>
  Math.min(LEDGER_RETRY_MAX_MS, LEDGER_RETRY_MIN_MS * 2 ** Math.min(attempts - 1, 16));
