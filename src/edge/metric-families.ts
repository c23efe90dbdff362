// Every metric of the edge node: name, type, help, and how its samples are read. docs/METRICS.md lists the same.
//
// Names follow the Prometheus conventions: prefix `openbell_`, base units, `_total` for counters. Money is the
// exception to base units: it is exact only in minor units, and the names say so.

import type { Bus } from '../engines/bus.js';
import type { DeadLetters } from '../engines/dead-letters.js';
import type { LoopDelays } from '../workers/loop-delay.js';
import { BUS_FAMILIES } from './bus-families.js';
import type { ReplicationStats } from './replication.js';
import { ROW_FAMILIES } from './replication-families.js';
import type { RoundView } from './round-view.js';

/** Counts by bucket, as threads keep them in shared memory. */
export interface BucketCounts {
  /** Ascending, in the unit of the metric. */
  readonly upperBounds: readonly number[];
  /** Not cumulative; one more than there are bounds, for what is above the last. */
  readonly counts: readonly number[];
  /** The sum of all observed values. */
  readonly sum: number;
}

export interface ShardGauges {
  readonly shard: number;
  /** Requests that wait for a batch. */
  readonly queuedRequests: number;
  /** Batches handed to the shard and not answered. */
  readonly batchesInFlight: number;
  readonly recentRows: number;
}

/** What the metrics and the status are made of; each getter is cheap and reads what is true now. */
export interface MetricsSources {
  version(): string;
  ready(): boolean;
  /** From start to ready; null until then. */
  recoveryS(): number | null;
  /** Investments by verdict since the start: accepted, or a problem code. Summed over the shards. */
  verdicts(): Readonly<Record<string, number>>;
  /** Answers that repeated an earlier verdict. */
  replays(): number;
  /** Answers of the public port by HTTP status since the start. */
  responses(): ReadonlyMap<number, number>;
  /** Requests per batch. */
  batchSizes(): BucketCounts;
  /** Seconds from the journal's lock to the end of its sync, per batch. */
  commitTimesS(): BucketCounts;
  /** Seconds of fdatasync alone, per batch. */
  syncTimesS(): BucketCounts;
  shards(): readonly ShardGauges[];
  /** Requests read and not answered. */
  requestsInFlight(): number;
  /** Connections of the public port. */
  connections(): { readonly http: number; readonly live: number };
  rounds(): readonly RoundView[];
  /** Accepted investments whose outcome has not come back; the age of the oldest, 0 when there is none. */
  outbox(): { readonly depth: number; readonly oldestAgeS: number };
  /** From acceptance to outcome, of the newest outcome; 0 before the first. */
  ledgerLagS(): number;
  /** The newest durable sequence, and the newest that the index holds. */
  journal(): { readonly sequence: number; readonly indexedSequence: number };
  /** Null before the first. */
  watermark(): { readonly sequence: number; readonly ageS: number } | null;
  /** Writes of the watermark that failed. */
  watermarkFailures(): number;
  /** The fencing token of this owner; how long its lease holds (null: for ever); keepalives since the start. */
  ownership(): {
    readonly epoch: number;
    readonly remainingS: number | null;
    readonly confirmed: number;
    readonly failed: number;
  };
  bus(): Pick<Bus, 'connected' | 'counts'>;
  /** Publishes of the outbox that were repetitions. */
  republished(): number;
  deadLetters(): Pick<DeadLetters, 'counts' | 'lost'>;
  /** Null without Cassandra. */
  replication(): ReplicationStats | null;
  /** Null when no events are published. `sequence`: all rows up to it are. */
  events(): { readonly published: number; readonly sequence: number } | null;
  /** By thread: `main`, `shard-0`, `indexer`, ... */
  loopDelays(): ReadonlyMap<string, LoopDelays>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

interface FamilyHead {
  readonly name: string;
  readonly help: string;
}

export type Family =
  | (FamilyHead & {
      readonly type: 'counter' | 'gauge';
      readonly read: (from: MetricsSources) => readonly Sample[];
    })
  | (FamilyHead & { readonly type: 'histogram'; readonly read: (from: MetricsSources) => BucketCounts });

const one = (value: number): readonly Sample[] => [{ labels: {}, value }];

const gauge = (name: string, help: string, read: (from: MetricsSources) => readonly Sample[]): Family => ({
  name,
  help,
  type: 'gauge',
  read,
});

const counter = (name: string, help: string, read: (from: MetricsSources) => readonly Sample[]): Family => ({
  name,
  help,
  type: 'counter',
  read,
});

const histogram = (name: string, help: string, read: (from: MetricsSources) => BucketCounts): Family => ({
  name,
  help,
  type: 'histogram',
  read,
});

const perRound = (name: string, help: string, value: (round: RoundView) => number): Family =>
  gauge(`openbell_round_${name}`, help, (from) =>
    from.rounds().map((round) => ({
      labels: name.endsWith('_minor_units')
        ? { round: round.id, currency: round.currency }
        : { round: round.id },
      value: value(round),
    })),
  );

const perShard = (name: string, help: string, value: (shard: ShardGauges) => number): Family =>
  gauge(`openbell_shard_${name}`, help, (from) =>
    from.shards().map((shard) => ({ labels: { shard: shard.shard }, value: value(shard) })),
  );

const perThread = (name: string, help: string, value: (delays: LoopDelays) => number): Family =>
  gauge(`openbell_event_loop_delay_${name}_seconds`, help, (from) =>
    [...from.loopDelays()].map(([thread, delays]) => ({ labels: { thread }, value: value(delays) })),
  );

const STATES: readonly RoundView['state'][] = ['scheduled', 'open', 'paused', 'full', 'closed'];

export const FAMILIES: readonly Family[] = [
  gauge('openbell_build_info', 'Constant 1; the labels say what runs.', (from) => [
    { labels: { version: from.version(), node: process.version }, value: 1 },
  ]),
  gauge('openbell_ready', '1 while the node can admit durably, else 0.', (from) => one(from.ready() ? 1 : 0)),
  gauge('openbell_recovery_seconds', 'Time from start to ready; absent until then.', (from) => {
    const recoveryS = from.recoveryS();
    return recoveryS === null ? [] : one(recoveryS);
  }),
  counter(
    'openbell_admissions_total',
    'Investments decided, by verdict: accepted, or the code of the problem. Replays are not counted again.',
    (from) => Object.entries(from.verdicts()).map(([verdict, value]) => ({ labels: { verdict }, value })),
  ),
  counter(
    'openbell_replays_total',
    'Answers that repeated the verdict of an earlier request with the same key.',
    (from) => one(from.replays()),
  ),
  counter('openbell_http_responses_total', 'Answers of the public port, by HTTP status.', (from) =>
    [...from.responses()].map(([status, value]) => ({ labels: { status }, value })),
  ),
  histogram('openbell_batch_size_requests', 'Requests per batch: how many share one sync.', (from) =>
    from.batchSizes(),
  ),
  histogram(
    'openbell_commit_duration_seconds',
    'Time to append a batch to the journal and sync it, lock included.',
    (from) => from.commitTimesS(),
  ),
  histogram('openbell_fsync_duration_seconds', 'Time of fdatasync alone, per batch.', (from) =>
    from.syncTimesS(),
  ),
  perShard(
    'queue_requests',
    'Requests that wait for a batch of this shard.',
    (shard) => shard.queuedRequests,
  ),
  perShard(
    'batches_in_flight',
    'Batches handed to this shard and not answered.',
    (shard) => shard.batchesInFlight,
  ),
  perShard(
    'recent_rows',
    'Rows that this shard holds in memory because the index does not hold them yet.',
    (shard) => shard.recentRows,
  ),
  gauge('openbell_requests_in_flight', 'Requests read and not answered.', (from) =>
    one(from.requestsInFlight()),
  ),
  gauge('openbell_connections', 'Open connections of the public port: http, or live (WebSocket).', (from) =>
    Object.entries(from.connections()).map(([kind, value]) => ({ labels: { kind }, value })),
  ),
  perRound('cap_minor_units', 'What the round takes in all.', (round) => round.cap),
  perRound('admitted_minor_units', 'What is admitted and not declined.', (round) => round.admitted),
  perRound('settled_minor_units', 'What the ledger has settled.', (round) => round.settled),
  perRound('investors', 'Live investments of the round.', (round) => round.investors),
  gauge('openbell_round_state', '1 for the state that the round is in, 0 for the others.', (from) =>
    from
      .rounds()
      .flatMap((round) =>
        STATES.map((state) => ({ labels: { round: round.id, state }, value: round.state === state ? 1 : 0 })),
      ),
  ),
  gauge('openbell_outbox_investments', 'Accepted investments whose outcome has not come back.', (from) =>
    one(from.outbox().depth),
  ),
  gauge('openbell_outbox_oldest_age_seconds', 'Age of the oldest of them; 0 when there is none.', (from) =>
    one(from.outbox().oldestAgeS),
  ),
  ...BUS_FAMILIES,
  gauge('openbell_ledger_lag_seconds', 'Time from acceptance to outcome, of the newest outcome.', (from) =>
    one(from.ledgerLagS()),
  ),
  gauge('openbell_journal_sequence', 'Newest durable row of the journal.', (from) =>
    one(from.journal().sequence),
  ),
  gauge(
    'openbell_index_lag_rows',
    'Durable rows of the journal that the index does not hold yet.',
    (from) => {
      const { sequence, indexedSequence } = from.journal();
      return one(Math.max(0, sequence - indexedSequence));
    },
  ),
  gauge(
    'openbell_watermark_sequence',
    'Sequence of the newest watermark; absent before the first.',
    (from) => {
      const watermark = from.watermark();
      return watermark === null ? [] : one(watermark.sequence);
    },
  ),
  gauge(
    'openbell_watermark_age_seconds',
    'Time since the newest watermark; absent before the first.',
    (from) => {
      const watermark = from.watermark();
      return watermark === null ? [] : one(watermark.ageS);
    },
  ),
  counter('openbell_watermark_failures_total', 'Writes of the watermark that failed.', (from) =>
    one(from.watermarkFailures()),
  ),
  gauge('openbell_epoch', 'Fencing token under which this node owns its rounds.', (from) =>
    one(from.ownership().epoch),
  ),
  gauge(
    'openbell_lease_remaining_seconds',
    'Time until this node fences itself unless a keepalive is confirmed; absent without a lease.',
    (from) => {
      const { remainingS } = from.ownership();
      return remainingS === null ? [] : one(remainingS);
    },
  ),
  counter('openbell_lease_keepalives_total', 'Keepalives of the lease, by result.', (from) => {
    const { confirmed, failed } = from.ownership();
    return [
      { labels: { result: 'confirmed' }, value: confirmed },
      { labels: { result: 'failed' }, value: failed },
    ];
  }),
  gauge('openbell_standby', '1 while another node owns the rounds and this one waits for them, else 0.', () =>
    one(0),
  ),
  ...ROW_FAMILIES,
  perThread('p50', 'Median event-loop delay of a thread over the last seconds.', (delays) => delays.p50S),
  perThread(
    'p99',
    '99th percentile of the event-loop delay of a thread over the last seconds.',
    (delays) => delays.p99S,
  ),
  perThread('max', 'Longest event-loop delay of a thread over the last seconds.', (delays) => delays.maxS),
];
