// The ledger's metrics. Names follow the Prometheus conventions: prefix `openbell_ledger_`, base units, `_total`.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { DECLINE_REASONS } from '../core/messages.js';
import type { Bus } from '../engines/bus.js';
import type { DeadLetters } from '../engines/dead-letters.js';

/** What is true now; read at every scrape. */
export interface LedgerGauges {
  /** Messages delivered and not finished. */
  backlog(): number;
  /** Age of the oldest of them since its acceptance, in seconds; 0 when there is none. */
  lagS(): number;
  readonly bus: Pick<Bus, 'connected' | 'counts'>;
  readonly deadLetters: Pick<DeadLetters, 'counts' | 'lost'>;
  balancesQueued(): Promise<number>;
  /** Investments in quarantine. */
  quarantined(): number;
}

const LOOP_RESOLUTION_MS = 10;

/** What became of a message. */
export type Processed =
  | 'settled'
  | (typeof DECLINE_REASONS)[number]
  | 'replayed'
  | 'conflict'
  | 'stale'
  | 'poison'
  | 'quarantined';

const PROCESSED: readonly Processed[] = [
  'settled',
  ...DECLINE_REASONS,
  'replayed',
  'conflict',
  'stale',
  'poison',
  'quarantined',
];

export class LedgerMetrics {
  readonly #registry = new Registry();
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  readonly #processed: Counter<'outcome'>;
  readonly #rateWaits: Counter;
  readonly #rateWaitS: Counter;
  readonly #groupSize: Histogram;
  readonly #commitS: Histogram;
  readonly #settleLagS: Histogram;
  readonly #handOverFailures: Counter;

  constructor() {
    const registers = [this.#registry];
    this.#processed = new Counter({
      name: 'openbell_ledger_investments_total',
      help: 'Investment messages by what became of them.',
      labelNames: ['outcome'] as const,
      registers,
    });
    // Present from the start: a rate over a series that appears with its first event misses that event.
    for (const outcome of PROCESSED) this.#processed.inc({ outcome }, 0);
    this.#rateWaits = new Counter({
      name: 'openbell_ledger_rate_limit_waits_total',
      help: 'Times that work waited for the rate limit.',
      registers,
    });
    this.#rateWaitS = new Counter({
      name: 'openbell_ledger_rate_limit_wait_seconds_total',
      help: 'Time that work waited for the rate limit.',
      registers,
    });
    this.#groupSize = new Histogram({
      name: 'openbell_ledger_group_size',
      help: 'Investments per transaction.',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers,
    });
    this.#commitS = new Histogram({
      name: 'openbell_ledger_commit_seconds',
      help: 'Time of one transaction, from its first read to the end of its sync.',
      buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2],
      registers,
    });
    this.#settleLagS = new Histogram({
      name: 'openbell_ledger_decision_lag_seconds',
      help: 'Time from acceptance at the edge to the decision here.',
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
      registers,
    });
    this.#handOverFailures = new Counter({
      name: 'openbell_ledger_handover_failures_total',
      help: 'Outcomes that could not be handed over and are tried again.',
      registers,
    });
  }

  /** Connects the gauges that are read at a scrape. */
  watch(gauges: LedgerGauges): void {
    this.#loop.enable();
    const gauge = (name: string, help: string, read: () => number | Promise<number>): Gauge =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        async collect(): Promise<void> {
          this.set(await read());
        },
      });
    gauge('openbell_ledger_backlog', 'Investments in hand that are not finished.', () => gauges.backlog());
    gauge('openbell_ledger_lag_seconds', 'Age of the oldest investment in hand.', () => gauges.lagS());
    this.#watchBus(gauges, gauge);
    gauge('openbell_ledger_balances_queued', 'Balance changes that the edge has not confirmed.', () =>
      gauges.balancesQueued(),
    );
    gauge(
      'openbell_ledger_quarantined_investments',
      'Investments that the ledger has died over and tries no more.',
      () => gauges.quarantined(),
    );
    gauge(
      'openbell_ledger_event_loop_delay_seconds',
      'Longest delay of the event loop since the last scrape.',
      () => {
        // The histogram records the time between two ticks; the delay is what exceeds the interval asked for.
        const delayS = Math.max(0, this.#loop.max / 1e9 - LOOP_RESOLUTION_MS / 1e3);
        this.#loop.reset();
        return delayS;
      },
    );
  }

  #watchBus(
    { bus, deadLetters }: LedgerGauges,
    gauge: (name: string, help: string, read: () => number) => Gauge,
  ): void {
    const counter = (name: string, help: string, read: () => number): Counter =>
      new Counter({
        name,
        help,
        registers: [this.#registry],
        collect(): void {
          this.reset();
          this.inc(read());
        },
      });
    const labelled = (
      name: string,
      help: string,
      label: string,
      read: () => Record<string, number>,
    ): Counter =>
      new Counter({
        name,
        help,
        labelNames: [label],
        registers: [this.#registry],
        collect(): void {
          this.reset();
          for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
        },
      });
    gauge(
      'openbell_ledger_bus_connected',
      '1 while there is somebody to publish to: an edge, or an nsqd.',
      () => (bus.connected ? 1 : 0),
    );
    labelled(
      'openbell_ledger_bus_publishes_total',
      'Publishes of outcomes and balances, by how they ended.',
      'result',
      () => bus.counts.publishes,
    );
    counter(
      'openbell_ledger_bus_reconnects_total',
      'Connections of the bus that came back after they were lost.',
      () => bus.counts.reconnects,
    );
    gauge(
      'openbell_ledger_bus_outstanding_messages',
      'Messages given to the bus whose end is not known.',
      () => bus.counts.outstanding,
    );
    gauge(
      'openbell_ledger_bus_in_flight_messages',
      'Messages delivered and neither finished nor requeued.',
      () => bus.counts.inFlight,
    );
    labelled(
      'openbell_ledger_dead_letters_total',
      'Messages put aside, by reason.',
      'reason',
      () => deadLetters.counts,
    );
    counter(
      'openbell_ledger_dead_letters_lost_total',
      'Of those, how many no topic holds.',
      () => deadLetters.lost,
    );
  }

  processed(outcome: Processed): void {
    this.#processed.inc({ outcome });
  }

  rateWait(waitedMs: number): void {
    this.#rateWaits.inc();
    this.#rateWaitS.inc(waitedMs / 1000);
  }

  committed(groupSize: number, tookMs: number): void {
    this.#groupSize.observe(groupSize);
    this.#commitS.observe(tookMs / 1000);
  }

  decidedAfter(lagMs: number): void {
    this.#settleLagS.observe(Math.max(0, lagMs) / 1000);
  }

  handOverFailed(count: number): void {
    this.#handOverFailures.inc(count);
  }

  /** The text of /metrics and its content type. */
  async text(): Promise<{ readonly body: string; readonly contentType: string }> {
    return { body: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }

  stop(): void {
    this.#loop.disable();
  }
}
