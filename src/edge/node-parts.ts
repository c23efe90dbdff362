// The parts of a running edge between its threads and its ports, made from what recovery found. Nothing here listens
// or has a timer yet: node.ts starts and stops them, in order.

import type { Logger } from 'pino';
import { must } from '../core/assert.js';
import type { Config } from '../core/config.js';
import type { Problem } from '../core/problem.js';
import type { Bus } from '../engines/bus.js';
import { edgeBus } from '../engines/bus-of.js';
import { DeadLetters } from '../engines/dead-letters.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import { type IndexDb, openIndex } from '../workers/index-db.js';
import { AdmissionGateway } from './admission-gateway.js';
import { monotonicMs, nowMs } from './clocks.js';
import { NodeControlPlane } from './control-plane.js';
import type { EventsPublisher } from './events-publisher.js';
import type { FatalSwitch } from './fatal-switch.js';
import { IndexFollower } from './indexer-client.js';
import { LiveRegistry } from './live-registry.js';
import { nodeEvents } from './node-events.js';
import { OutboxPublisher } from './outbox-publisher.js';
import { OutcomeIntake } from './outcome-intake.js';
import { systemRoundClock } from './round-timers.js';
import { RoundViews } from './round-view.js';
import { RoundsService } from './rounds.js';
import type { StartState } from './start-state.js';
import { UpkeepClient } from './upkeep-client.js';
import { WatermarkWriter } from './watermark-writer.js';

export interface NodeParts {
  readonly gateway: AdmissionGateway;
  /** This thread's reading side of the index. */
  readonly index: IndexDb;
  readonly rounds: RoundsService;
  readonly views: RoundViews;
  readonly registry: LiveRegistry;
  readonly bus: Bus;
  readonly deadLetters: DeadLetters;
  readonly outbox: OutboxPublisher;
  readonly intake: OutcomeIntake;
  /** Null without a broker: there is nobody to tell. */
  readonly events: EventsPublisher | null;
  readonly watermark: WatermarkWriter;
  readonly follower: IndexFollower;
  readonly upkeep: UpkeepClient;
}

const INDEX_LAGS: Problem = {
  code: 'overloaded',
  detail: 'The index is too far behind the journal.',
  retryAfterS: 5,
};

export function makeParts(
  config: Config,
  state: StartState,
  failure: FatalSwitch,
  logger: Logger,
  nsq?: NsqSettings,
): NodeParts {
  const { counters, head, indexer, recovered, places, epoch } = state;
  const { journalId } = recovered;
  const definitions = recovered.rounds.map(({ definition }) => definition);
  const admittedOf = ({ number, cap }: { number: number; cap: number }): number =>
    cap - counters.room(number);

  const gateway = new AdmissionGateway(
    {
      shards: config.workers,
      journalDir: places.journalDir,
      journalId,
      segmentBytes: config.journalSegmentBytes,
      indexDir: places.indexDir,
      epoch,
      counters: state.countersMemory,
      journalHead: state.headMemory,
      token: state.token,
      ratePerS: config.investorRatePerS,
      rateBurst: config.investorBurst,
      rounds: definitions,
    },
    { onFatal: (reason) => failure.trip(reason), clock: monotonicMs },
  );
  failure.onTrip((reason) => gateway.fail(reason));

  // The indexer has it open already, so it can be opened.
  const opened = openIndex(places.indexDir, { readOnly: true });
  const index = must(opened.ok ? opened.value : null, 'the index that the indexer has open');

  const rounds = new RoundsService({
    control: new NodeControlPlane(gateway, counters, definitions),
    clock: systemRoundClock,
    onTimerFailure: (id, reason) =>
      logger.error({ round: id, reason: String(reason) }, 'rounds: a timed change failed'),
  });
  const views = new RoundViews({
    rounds,
    counters: (round) => ({
      admitted: admittedOf(round),
      investors: counters.investors(round.number),
      settled: counters.settled(round.number),
    }),
    sequence: () => head.durableSequence,
    nowMs,
    monotonicMs,
  });
  const registry = new LiveRegistry({ round: (id) => views.view(id) });

  const bus = edgeBus(config.dataDir, nsq, logger);
  const deadLetters = new DeadLetters({ bus, logger, nowMs });
  const outbox = new OutboxPublisher({
    source: {
      outboxAfter: (sequence, limit) => {
        index.refresh();
        return index.outboxAfter(sequence, limit);
      },
    },
    bus,
    journalId,
    epoch,
    roundByNumber: (number) => rounds.list().find((round) => round.number === number),
    logger,
    clock: monotonicMs,
    random: Math.random,
  });
  const intake = new OutcomeIntake({
    bus,
    deadLetters,
    journalId,
    applyOutcomes: (outcomes) => gateway.applyOutcomes(outcomes),
    applyBalances: async (messages) => {
      const applied = await indexer.run({ kind: 'balance-messages', messages });
      if (applied.ok) await gateway.refreshInvestors(applied.value.applied);
      return applied.ok;
    },
    onDone: (sequence) => outbox.confirm(sequence),
    onOutcome: (round, investor, investment) => registry.outcome(round, investor, investment),
    logger,
  });
  const events =
    nsq === undefined
      ? null
      : nodeEvents({
          journalDir: places.journalDir,
          journalId,
          durable: () => head.durableSequence,
          rounds,
          bus,
          logger,
        });
  const watermark = new WatermarkWriter({
    store: state.store,
    epoch,
    journalId,
    durable: () => head.durableSequence,
    rounds: () =>
      rounds.list().map((round) => ({
        id: round.id,
        admitted: admittedOf(round),
        count: counters.investors(round.number),
      })),
    clock: nowMs,
    logger,
  });
  const follower = new IndexFollower({
    indexer,
    durable: () => head.durableSequence,
    indexed: () => counters.indexedSequence,
    onLag: (tooFar) => gateway.setLag(tooFar ? INDEX_LAGS : null),
  });
  const upkeep = new UpkeepClient({
    journalDir: places.journalDir,
    indexDir: places.indexDir,
    segmentBytes: config.journalSegmentBytes,
    headMemory: state.headMemory,
    logger,
  });
  return {
    gateway,
    index,
    rounds,
    views,
    registry,
    bus,
    deadLetters,
    outbox,
    intake,
    events,
    watermark,
    follower,
    upkeep,
  };
}
