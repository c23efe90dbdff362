// Metric sources for tests, with a value of its own in every place.

import type { MetricsSources } from './metric-families.js';
import type { RoundView } from './round-view.js';

export const fakeRoundView: RoundView = {
  id: 'crowd',
  name: 'Crowd 2026',
  currency: 'GBP',
  cap: 2_000_000_000,
  minimum: 1_000,
  maximum: 200_000,
  state: 'open',
  opensAt: null,
  closesAt: null,
  admitted: 150_000,
  remaining: 1_999_850_000,
  investors: 3,
  settled: 50_000,
  sequence: 77,
  serverTime: '2026-11-23T10:00:00.123Z',
};

export function fakeMetricsSources(changes: Partial<MetricsSources> = {}): MetricsSources {
  return {
    version: () => '0.1.0',
    ready: () => true,
    recoveryS: () => 0.25,
    verdicts: () => ({ accepted: 10, 'round-full': 4 }),
    replays: () => 2,
    responses: () =>
      new Map([
        [201, 10],
        [409, 4],
      ]),
    batchSizes: () => ({ upperBounds: [1, 10, 100], counts: [1, 2, 3, 4], sum: 900 }),
    commitTimesS: () => ({ upperBounds: [0.0001, 0.001], counts: [5, 0, 1], sum: 0.25 }),
    syncTimesS: () => ({ upperBounds: [0.0001, 0.001], counts: [6, 0, 0], sum: 0.125 }),
    shards: () => [
      { shard: 0, queuedRequests: 5, batchesInFlight: 1, recentRows: 30 },
      { shard: 1, queuedRequests: 6, batchesInFlight: 2, recentRows: 31 },
    ],
    requestsInFlight: () => 12,
    connections: () => ({ http: 8, live: 9 }),
    rounds: () => [fakeRoundView],
    outbox: () => ({ depth: 7, oldestAgeS: 1.5 }),
    bus: () => ({
      connected: true,
      counts: {
        publishes: { ok: 21, unreachable: 22, timeout: 23, overloaded: 24, 'bad-size': 25, closed: 26 },
        reconnects: 27,
        outstanding: 28,
        inFlight: 29,
      },
    }),
    republished: () => 31,
    deadLetters: () => ({ counts: { unreadable: 32, conflict: 33, unknown: 34, attempts: 35 }, lost: 36 }),
    events: () => ({ published: 37, sequence: 39 }),
    ledgerLagS: () => 0.75,
    journal: () => ({ sequence: 77, indexedSequence: 70 }),
    watermark: () => ({ sequence: 76, ageS: 0.5 }),
    watermarkFailures: () => 3,
    ownership: () => ({ epoch: 7, remainingS: 6.5, confirmed: 40, failed: 4 }),
    replication: () => ({
      replicated: 75,
      investors: 60,
      lagRows: 2,
      lagS: 0.5,
      rows: 140,
      batches: 12,
      investorRows: 90,
      investorBatches: 5,
      retries: 3,
      rowsInFlight: 2,
      repliesHeld: 1,
      repliesLate: 4,
    }),
    loopDelays: () =>
      new Map([
        ['main', { p50S: 0.001, p99S: 0.002, maxS: 0.003 }],
        ['shard-0', { p50S: 0.004, p99S: 0.005, maxS: 0.006 }],
      ]),
    ...changes,
  };
}
