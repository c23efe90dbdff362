// Where the edge's metrics come from: shared memory, and the parts of the running node.

import { readFileSync } from 'node:fs';
import { BATCH_SIZE_BUCKETS, COMMIT_MS_BUCKETS, type Counters, STAT } from '../core/counters.js';
import type { Bus } from '../engines/bus.js';
import type { DeadLetters } from '../engines/dead-letters.js';
import type { Ownership } from '../engines/ownership.js';
import { type JournalHead, SYNC_MS_BUCKETS } from '../workers/journal-head.js';
import { LoopDelayMonitor, type LoopDelays } from '../workers/loop-delay.js';
import { COUNTED_CODES } from '../workers/shard-stats.js';
import type { AdmissionGateway } from './admission-gateway.js';
import type { EventsPublisher } from './events-publisher.js';
import { responseCounts } from './http-exchange.js';
import type { LiveRegistry } from './live-registry.js';
import type { BucketCounts, MetricsSources } from './metric-families.js';
import type { OutboxPublisher } from './outbox-publisher.js';
import type { OutcomeIntake } from './outcome-intake.js';
import type { Replication } from './replication.js';
import type { RoundViews } from './round-view.js';
import type { WatermarkWriter } from './watermark-writer.js';

export interface SourceModules {
  readonly counters: Counters;
  readonly head: JournalHead;
  readonly gateway: AdmissionGateway;
  readonly registry: LiveRegistry;
  readonly views: RoundViews;
  readonly bus: Bus;
  readonly deadLetters: DeadLetters;
  readonly outbox: OutboxPublisher;
  readonly intake: OutcomeIntake;
  readonly events: EventsPublisher | null;
  readonly watermark: WatermarkWriter;
  readonly ownership: Ownership;
  readonly replication: Replication | null;
  readonly ready: () => boolean;
  readonly recoveryS: () => number | null;
  /** Open HTTP connections of the public port. */
  readonly httpConnections: () => number;
  /** Accepted investments without an outcome. */
  readonly outboxDepth: () => number;
  /** Milliseconds since the epoch, and monotonic. */
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

const packageFile = new URL('../../../package.json', import.meta.url);
/** The version that package.json names. */
export const VERSION: string = (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;

export function metricSources(modules: SourceModules): MetricsSources {
  const { counters, head, gateway, registry, views, outbox, intake, watermark, nowMs, monotonicMs } = modules;
  const blocks = gateway.queues().map((_, shard) => counters.stats(shard));
  const mainDelays = new LoopDelayMonitor();
  const sum = (slot: number): number => blocks.reduce((total, block) => total + block[slot]!, 0);
  const buckets = (first: number, upperBounds: readonly number[], total: number): BucketCounts => ({
    upperBounds,
    counts: Array.from({ length: upperBounds.length + 1 }, (_, at) => sum(first + at)),
    sum: total,
  });

  return {
    version: () => VERSION,
    ready: modules.ready,
    recoveryS: modules.recoveryS,
    verdicts: () => Object.fromEntries(COUNTED_CODES.map((code, at) => [code, sum(STAT.codeFirst + at)])),
    replays: () => sum(STAT.replays),
    responses: () => {
      const seen = new Map<number, number>();
      responseCounts.forEach((count, status) => {
        if (count > 0) seen.set(status, count);
      });
      return seen;
    },
    batchSizes: () => buckets(STAT.batchBucketFirst, BATCH_SIZE_BUCKETS, sum(STAT.requests)),
    commitTimesS: () =>
      buckets(
        STAT.commitBucketFirst,
        COMMIT_MS_BUCKETS.map((ms) => ms / 1000),
        sum(STAT.commitNs) / 1e9,
      ),
    syncTimesS: () => {
      const { syncBuckets, syncMs } = head.stats();
      return { upperBounds: SYNC_MS_BUCKETS.map((ms) => ms / 1000), counts: syncBuckets, sum: syncMs / 1000 };
    },
    shards: () =>
      gateway.queues().map((queue, shard) => ({
        shard,
        queuedRequests: queue.queued,
        batchesInFlight: queue.inFlight,
        recentRows: blocks[shard]![STAT.recentRows]!,
      })),
    requestsInFlight: () => gateway.queues().reduce((total, queue) => total + queue.requestsInFlight, 0),
    connections: () => ({ http: modules.httpConnections(), live: registry.size }),
    rounds: () => views.views(),
    outbox: () => {
      const oldest = outbox.oldestAcceptedAtMs;
      return { depth: modules.outboxDepth(), oldestAgeS: oldest === null ? 0 : (nowMs() - oldest) / 1000 };
    },
    bus: () => modules.bus,
    republished: () => outbox.republished,
    deadLetters: () => modules.deadLetters,
    events: () => modules.events,
    ledgerLagS: () => intake.lagS,
    journal: () => ({ sequence: head.durableSequence, indexedSequence: counters.indexedSequence }),
    watermark: () => {
      const { last } = watermark;
      return last === null ? null : { sequence: last.sequence, ageS: (nowMs() - last.atMs) / 1000 };
    },
    watermarkFailures: () => watermark.failures,
    ownership: () => {
      const { epoch, word, renewals } = modules.ownership;
      const leftNs = word.leftNs(process.hrtime.bigint());
      return { epoch, remainingS: leftNs === null ? null : Number(leftNs) / 1e9, ...renewals };
    },
    replication: () => modules.replication?.stats(nowMs()) ?? null,
    loopDelays: () => {
      const delays = new Map<string, LoopDelays>([['main', mainDelays.read(monotonicMs())]]);
      blocks.forEach((block, shard) => {
        const [p50S, p99S, maxS] = [block[STAT.loopP50S]!, block[STAT.loopP99S]!, block[STAT.loopMaxS]!];
        delays.set(`shard-${shard}`, { p50S, p99S, maxS });
      });
      return delays;
    },
  };
}
