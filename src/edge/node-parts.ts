// The parts of a running edge between its threads and its ports, made from what recovery found. Nothing here listens
// or has a timer yet: running-edge.ts starts and stops them, in order.

import type { Logger } from 'pino';
import { must } from '../core/assert.js';
import type { Config } from '../core/config.js';
import { InvestmentIds } from '../core/ids.js';
import { FENCED, type Problem } from '../core/problem.js';
import type { Bus } from '../engines/bus.js';
import { DeadLetters } from '../engines/dead-letters.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import { type IndexDb, openIndex } from '../workers/index-db.js';
import { AdmissionGateway } from './admission-gateway.js';
import { monotonicMs, nowMs } from './clocks.js';
import { NodeControlPlane } from './control-plane.js';
import type { EventsPublisher } from './events-publisher.js';
import type { FatalSwitch } from './fatal-switch.js';
import { GatedPublisher } from './gated-publisher.js';
import { IndexFollower } from './indexer-client.js';
import { LiveRegistry } from './live-registry.js';
import { nodeEvents } from './node-events.js';
import { OutboxPublisher } from './outbox-publisher.js';
import { OutcomeIntake } from './outcome-intake.js';
import { Replication } from './replication.js';
import { systemRoundClock } from './round-timers.js';
import { RoundViews } from './round-view.js';
import { RoundsService } from './rounds.js';
import { RoundSharer } from './shared-rounds.js';
import type { StartState } from './start-state.js';
import { UpkeepClient } from './upkeep-client.js';
import { WatermarkWriter } from './watermark-writer.js';

export interface NodeParts {
  readonly ids: InvestmentIds;
  readonly gateway: AdmissionGateway;
  /** This thread's reading side of the index. */
  readonly index: IndexDb;
  readonly rounds: RoundsService;
  readonly sharer: RoundSharer;
  readonly views: RoundViews;
  readonly registry: LiveRegistry;
  readonly bus: Bus;
  /** Null: the embedded link. */
  readonly nsq: NsqSettings | null;
  readonly deadLetters: DeadLetters;
  readonly outbox: OutboxPublisher;
  readonly intake: OutcomeIntake;
  /** Null without a broker: there is nobody to tell. */
  readonly events: EventsPublisher | null;
  readonly watermark: WatermarkWriter;
  readonly follower: IndexFollower;
  readonly upkeep: UpkeepClient;
  /** Null without Cassandra. */
  readonly replication: Replication | null;
}

const INDEX_LAGS: Problem = {
  code: 'overloaded',
  detail: 'The index is too far behind the journal.',
  retryAfterS: 5,
};

export interface PartsModules {
  readonly config: Config;
  readonly state: StartState;
  readonly failure: FatalSwitch;
  readonly bus: Bus;
  /** Undefined: the embedded link to the ledger. */
  readonly nsq: NsqSettings | undefined;
  readonly logger: Logger;
}

export function makeParts({ config, state, failure, bus, nsq, logger }: PartsModules): NodeParts {
  const { counters, head, indexer, recovered, places, epoch } = state;
  const { journalId, lineage } = recovered;
  const ids = new InvestmentIds(lineage);
  const definitions = recovered.rounds.map(({ definition }) => definition);
  const admittedOf = ({ number, cap }: { number: number; cap: number }): number =>
    cap - counters.room(number);

  const replication = Replication.of({
    config,
    state,
    onFenced: (reason) => failure.trip(reason, 'fenced'),
    logger,
    monotonicMs,
  });

  const gateway = new AdmissionGateway(
    {
      shards: config.workers,
      journalDir: places.journalDir,
      lineage,
      segmentBytes: config.journalSegmentBytes,
      indexDir: places.indexDir,
      epoch,
      counters: state.countersMemory,
      journalHead: state.headMemory,
      lease: state.tenure.ownership.wordMemory,
      token: state.token,
      ratePerS: config.investorRatePerS,
      rateBurst: config.investorBurst,
      rounds: definitions,
    },
    {
      onFatal: (reason) => failure.trip(reason),
      clock: monotonicMs,
      hold: replication?.gate == null ? null : replication.gate.hold.bind(replication.gate),
    },
  );
  // The indexer has it open already, so it can be opened.
  const opened = openIndex(places.indexDir, { readOnly: true });
  const index = must(opened.ok ? opened.value : null, 'the index that the indexer has open');

  const { owns } = state;
  const onFenced = (reason: string): void => failure.trip(reason, 'fenced');
  const sharer = new RoundSharer({
    ...{ registry: state.tenure.rounds, epoch, journalId, onFenced, logger },
  });
  const rounds = new RoundsService({
    control: new NodeControlPlane(
      {
        gateway,
        counters,
        owns,
        onAppended: (definition, sequence) => sharer.share([definition], sequence),
      },
      definitions,
    ),
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

  const told = (): number => replication?.told ?? head.durableSequence;

  const deadLetters = new DeadLetters({ bus, logger, nowMs });
  const outbox = new OutboxPublisher({
    source: {
      outboxAfter: (sequence, limit) => {
        index.refresh();
        return index.outboxAfter(sequence, limit).filter((row) => row.sequence <= told());
      },
    },
    bus: new GatedPublisher(bus, owns),
    ids,
    epoch,
    roundByNumber: (number) => rounds.list().find((round) => round.number === number),
    logger,
    clock: monotonicMs,
    random: Math.random,
  });
  const intake = new OutcomeIntake({
    bus,
    deadLetters,
    ids,
    // Given back by who does not own the rounds: the next owner takes them.
    applyOutcomes: async (outcomes) => (owns() ? gateway.applyOutcomes(outcomes) : null),
    applyBalances: async (messages) => {
      const applied = await indexer.run({ kind: 'balance-messages', messages });
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
          lineage,
          durable: told,
          rounds,
          bus: new GatedPublisher(bus, owns),
          logger,
        });
  const watermark = new WatermarkWriter({
    store: state.store,
    epoch,
    journalId,
    durable: told,
    rounds: () =>
      rounds.list().map((round) => ({
        id: round.id,
        admitted: admittedOf(round),
        count: counters.investors(round.number),
      })),
    owns,
    onFenced,
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
    lineage,
    headMemory: state.headMemory,
    logger,
  });
  failure.onTrip((reason, kind) => {
    if (kind === 'failed') {
      gateway.fail(reason);
      return;
    }
    gateway.setGate(FENCED);
    replication?.gate?.fence();
    watermark.end();
    outbox.stop();
    rounds.stop();
    sharer.stop();
    void intake.stop();
  });
  return {
    ids,
    gateway,
    index,
    rounds,
    sharer,
    views,
    registry,
    bus,
    nsq: nsq ?? null,
    deadLetters,
    outbox,
    intake,
    events,
    watermark,
    follower,
    upkeep,
    replication,
  };
}
