// What comes back from the ledger: outcomes, journaled in batches before they are finished, and balances for the cache.
// A message is finished only when what it says is durable here; if this process dies before, it comes again.

import type { Logger } from 'pino';
import type { InvestmentIds } from '../core/ids.js';
import {
  OUTCOME_REQUEUE_MAX_MS,
  OUTCOME_REQUEUE_MS,
  OUTCOMES_BATCH_MAX,
  OUTCOMES_IN_FLIGHT_MAX,
} from '../core/limits.js';
import {
  type BalanceMessage,
  decodeBalanceMessage,
  decodeOutcomeMessage,
  type OutcomeMessage,
  TOPICS,
} from '../core/messages.js';
import type { Result } from '../core/result.js';
import type { Message, Subscriber, Subscription } from '../engines/bus.js';
import type { DeadLetters } from '../engines/dead-letters.js';
import type { OutcomeApplied } from '../workers/protocol.js';

export interface IntakeModules {
  readonly bus: Subscriber;
  /** For what cannot be read, fits nothing here, or comes again and again. */
  readonly deadLetters: DeadLetters;
  readonly ids: InvestmentIds;
  /** Journals the outcomes; null when the journal has failed. */
  readonly applyOutcomes: (outcomes: readonly OutcomeMessage[]) => Promise<readonly OutcomeApplied[] | null>;
  /** Stores newer balances in the index and has the shards take notice; false when it failed. */
  readonly applyBalances: (balances: readonly BalanceMessage[]) => Promise<boolean>;
  /** The row has its outcome. */
  readonly onDone: (sequence: number) => void;
  /** For the investor's live connections. */
  readonly onOutcome: (round: string, investor: string, investment: Record<string, unknown>) => void;
  readonly logger: Logger;
}

/** Counts since the start, for the metrics. */
export interface IntakeCounts {
  applied: number;
  duplicates: number;
  unknown: number;
  conflicts: number;
  poison: number;
}

interface Held<T> {
  readonly message: Message;
  readonly value: T;
}

/** Gathers messages while one batch is in work; the next batch is all that came meanwhile. */
class Batcher<T> {
  readonly #waiting: Held<T>[] = [];
  readonly #work: (batch: readonly Held<T>[]) => Promise<void>;
  #running: Promise<void> | null = null;

  constructor(work: (batch: readonly Held<T>[]) => Promise<void>) {
    this.#work = work;
  }

  add(held: Held<T>): void {
    this.#waiting.push(held);
    this.#running ??= this.#drain();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #drain(): Promise<void> {
    // Lets everything that arrived in this loop turn join the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#work(this.#waiting.splice(0, OUTCOMES_BATCH_MAX));
    this.#running = null;
  }
}

export class OutcomeIntake {
  readonly #modules: IntakeModules;
  readonly #outcomes: Batcher<OutcomeMessage>;
  readonly #balances: Batcher<BalanceMessage>;
  #subscriptions: readonly Subscription[] = [];
  readonly counts: IntakeCounts = { applied: 0, duplicates: 0, unknown: 0, conflicts: 0, poison: 0 };
  /** Seconds from acceptance to outcome, of the newest outcome. */
  lagS = 0;

  constructor(modules: IntakeModules) {
    this.#modules = modules;
    this.#outcomes = new Batcher((batch) => this.#takeOutcomes(batch));
    this.#balances = new Batcher((batch) => this.#takeBalances(batch));
  }

  start(): void {
    const { bus } = this.#modules;
    const options = { maxInFlight: OUTCOMES_IN_FLIGHT_MAX };
    this.#subscriptions = [
      bus.subscribe(
        TOPICS.outcomes,
        (message) => this.#decoded(TOPICS.outcomes, message, decodeOutcomeMessage, this.#outcomes),
        options,
      ),
      bus.subscribe(
        TOPICS.balances,
        (message) => this.#decoded(TOPICS.balances, message, decodeBalanceMessage, this.#balances),
        options,
      ),
    ];
  }

  /** Takes nothing more, and resolves when what was taken is journaled. */
  async stop(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.close();
    await Promise.all([this.#outcomes.idle(), this.#balances.idle()]);
  }

  #decoded<T>(
    topic: string,
    message: Message,
    decode: (body: Uint8Array) => Result<T, string>,
    to: Batcher<T>,
  ): void {
    const { deadLetters } = this.#modules;
    const read = decode(message.body);
    if (!read.ok) {
      // It would come back for ever; what it meant is asked again by the outbox.
      this.counts.poison++;
      deadLetters.bury(topic, message, 'unreadable', read.error);
    } else if (deadLetters.isWornOut(message)) {
      deadLetters.bury(topic, message, 'attempts', 'it could not be taken, again and again');
    } else to.add({ message, value: read.value });
  }

  async #takeOutcomes(batch: readonly Held<OutcomeMessage>[]): Promise<void> {
    const { applyOutcomes, onDone, onOutcome, ids, deadLetters } = this.#modules;
    const results = await applyOutcomes(batch.map(({ value }) => value));
    if (results === null) {
      for (const { message } of batch) message.requeue(requeueMs(message));
      return;
    }
    batch.forEach(({ message, value }, at) => {
      const { result, investment } = results[at]!;
      if (result === 'applied' || result === 'duplicate') onDone(ids.sequenceOf(value.id));
      if (result === 'applied') {
        this.counts.applied++;
        if (investment !== null) {
          this.lagS = lagOf(investment);
          onOutcome(value.round, value.investor, investment);
        }
      } else if (result === 'duplicate') this.counts.duplicates++;
      else {
        if (result === 'unknown') this.counts.unknown++;
        else this.counts.conflicts++;
        deadLetters.bury(TOPICS.outcomes, message, result, `${value.id}: it does not fit this journal`);
        return;
      }
      message.finish();
    });
  }

  async #takeBalances(batch: readonly Held<BalanceMessage>[]): Promise<void> {
    const done = await this.#modules.applyBalances(batch.map(({ value }) => value));
    for (const { message } of batch) {
      if (done) message.finish();
      else message.requeue(requeueMs(message));
    }
  }
}

const requeueMs = ({ attempts }: Message): number =>
  Math.min(OUTCOME_REQUEUE_MAX_MS, OUTCOME_REQUEUE_MS * 2 ** Math.min(attempts - 1, 16));

function lagOf(investment: Record<string, unknown>): number {
  const end = investment['settledAt'] ?? investment['declinedAt'];
  return (Date.parse(String(end)) - Date.parse(String(investment['acceptedAt']))) / 1000;
}
