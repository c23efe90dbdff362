// GET /admin/v1/status: what an operator wants to see at a glance, as JSON. No personal data, hence no token.

import { RATE_WINDOW_MS } from '../core/limits.js';
import type { MetricsSources, ShardGauges } from './metric-families.js';
import { formatRfc3339 } from './rfc3339.js';
import type { RoundView } from './round-view.js';

/** One thing without which nothing can be admitted durably. */
export interface ReadinessPart {
  readonly name: string;
  readonly ready: boolean;
  /** What is wrong, or what is being waited for. */
  readonly detail?: string;
}

export interface Readiness {
  parts(): readonly ReadinessPart[];
}

export function isReady(readiness: Readiness): boolean {
  return readiness.parts().every((part) => part.ready);
}

export interface Rates {
  /** Verdicts per second, of any kind; accepted ones; HTTP answers. */
  readonly decisionsPerS: number;
  readonly acceptedPerS: number;
  readonly responsesPerS: number;
}

export interface EdgeStatus {
  readonly version: string;
  readonly serverTime: string;
  readonly ready: boolean;
  readonly parts: readonly ReadinessPart[];
  readonly rounds: readonly RoundView[];
  readonly rates: Rates;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly queues: { readonly requestsInFlight: number; readonly shards: readonly ShardGauges[] };
  readonly connections: { readonly http: number; readonly live: number };
  readonly outbox: { readonly depth: number; readonly oldestAgeS: number };
  readonly ledgerLagS: number;
  readonly journal: { readonly sequence: number; readonly indexedSequence: number };
  readonly watermark: { readonly sequence: number; readonly ageS: number } | null;
}

export interface StatusModules {
  readonly sources: MetricsSources;
  readonly readiness: Readiness;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

interface Totals {
  readonly atMs: number;
  readonly decisions: number;
  readonly accepted: number;
  readonly responses: number;
}

export class StatusReport {
  readonly #modules: StatusModules;
  #since: Totals;
  #rates: Rates = { decisionsPerS: 0, acceptedPerS: 0, responsesPerS: 0 };

  constructor(modules: StatusModules) {
    this.#modules = modules;
    this.#since = this.#totals();
  }

  read(): EdgeStatus {
    const { sources, readiness, nowMs } = this.#modules;
    return {
      version: sources.version(),
      serverTime: formatRfc3339(nowMs()),
      ready: isReady(readiness),
      parts: readiness.parts(),
      rounds: sources.rounds(),
      rates: this.#currentRates(),
      verdicts: sources.verdicts(),
      queues: { requestsInFlight: sources.requestsInFlight(), shards: sources.shards() },
      connections: sources.connections(),
      outbox: sources.outbox(),
      ledgerLagS: sources.ledgerLagS(),
      journal: sources.journal(),
      watermark: sources.watermark(),
    };
  }

  /** Over the time since the last reading that was a window ago: several readers share one rate. */
  #currentRates(): Rates {
    const now = this.#totals();
    const elapsedMs = now.atMs - this.#since.atMs;
    if (elapsedMs < RATE_WINDOW_MS) return this.#rates;
    const perS = (count: number): number => Math.round((count * 10_000) / elapsedMs) / 10;
    this.#rates = {
      decisionsPerS: perS(now.decisions - this.#since.decisions),
      acceptedPerS: perS(now.accepted - this.#since.accepted),
      responsesPerS: perS(now.responses - this.#since.responses),
    };
    this.#since = now;
    return this.#rates;
  }

  #totals(): Totals {
    const verdicts = this.#modules.sources.verdicts();
    return {
      atMs: this.#modules.monotonicMs(),
      decisions: sum(Object.values(verdicts)),
      accepted: verdicts['accepted'] ?? 0,
      responses: sum([...this.#modules.sources.responses().values()]),
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
