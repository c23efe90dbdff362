// Outcomes over a real nsqd into a real journal, an hour late, reordered, repeated, and among poison: each investment
// gets exactly one. The clock is passed in.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { InvestmentIds, ownLineage } from '../../src/core/ids.js';
import {
  decodeInvestmentMessage,
  encodeMessage,
  type InvestmentMessage,
  type OutcomeMessage,
  TOPICS,
} from '../../src/core/messages.js';
import type { RoundDefinition } from '../../src/core/round.js';
import { signToken } from '../../src/core/token-signing.js';
import { OutboxPublisher } from '../../src/edge/outbox-publisher.js';
import { OutcomeIntake } from '../../src/edge/outcome-intake.js';
import { until } from '../../src/engines/bus-contract-rig.js';
import { type DeadLetter, DeadLetters, deadTopic } from '../../src/engines/dead-letters.js';
import { NsqBus } from '../../src/engines/nsq/nsq-bus.js';
import { type IndexDb, openIndex } from '../../src/workers/index-db.js';
import { REQUEST } from '../../src/workers/protocol.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { startNsqd } from '../harness/nsq.js';
import { AdmissionRig, RIG_SECRET } from '../model/admission-rig.js';

const START_MS = Date.parse('2026-11-23T10:00:00.000Z');
const HOUR_MS = 3_600_000;
const ROUND: RoundDefinition = {
  number: 1,
  id: 'crowd',
  name: 'Crowd',
  currency: 'GBP',
  cap: 1_000_000,
  minimum: 1_000,
  maximum: 100_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'allow',
  state: 'open',
};
const AMOUNT = 1_000;
const NAMES = ['ann', 'ben', 'cat', 'dan', 'eve'];
const logger = pino({ level: 'silent' });

/** Admission, outbox and intake of an edge in one thread, on one clock. */
class Edge {
  nowMs = START_MS;
  readonly told: string[] = [];
  readonly rig: AdmissionRig;
  readonly #dir = fs.mkdtempSync(path.join(tmpdir(), 'openbell-outcomes-'));
  #parts: {
    index: IndexDb;
    outbox: OutboxPublisher;
    intake: OutcomeIntake;
    deadLetters: DeadLetters;
  } | null = null;

  constructor() {
    this.rig = new AdmissionRig({
      dir: this.#dir,
      shards: 1,
      clock: () => this.nowMs,
      onBatch: () => undefined,
      onMisrouted: () => assert.fail('there is one shard'),
    });
  }

  get parts() {
    return this.#parts ?? assert.fail('not started');
  }

  async start(t: TestContext, bus: NsqBus): Promise<void> {
    const { rig } = this;
    await rig.start();
    rig.changeRound('created', ROUND);
    for (const name of NAMES) this.#invest(name);
    await rig.drained();
    await rig.catchUp(1_000);
    const opened = openIndex(path.join(this.#dir, 'index'), { readOnly: true });
    assert.ok(opened.ok);
    const index = opened.value;
    const outbox = new OutboxPublisher({
      source: {
        outboxAfter: (sequence, limit) => {
          index.refresh();
          return index.outboxAfter(sequence, limit);
        },
      },
      bus,
      ids: new InvestmentIds(ownLineage(rig.journalId)),
      epoch: 1,
      roundByNumber: () => ROUND,
      logger,
      clock: () => this.nowMs,
      random: () => 0,
    });
    const deadLetters = new DeadLetters({ bus, logger, nowMs: () => this.nowMs });
    const intake = new OutcomeIntake({
      bus,
      deadLetters,
      ids: new InvestmentIds(ownLineage(rig.journalId)),
      applyOutcomes: async (outcomes) => rig.outcomes(0, outcomes),
      applyBalances: async () => true,
      onDone: (sequence) => outbox.confirm(sequence),
      onOutcome: (_round, investor, investment) =>
        this.told.push(`${investor} ${String(investment['state'])}`),
      logger,
    });
    this.#parts = { index, outbox, intake, deadLetters };
    t.after(async () => {
      await index.close();
      await rig.stop('crash');
      fs.rmSync(this.#dir, { recursive: true });
    });
  }

  /** Accepted investments without an outcome, by the index. */
  async open(): Promise<number> {
    await this.rig.catchUp(1_000);
    this.parts.index.refresh();
    return this.parts.index.outboxCount();
  }

  #invest(investor: string): void {
    const token = signToken(RIG_SECRET, { subject: investor, expiresAtS: START_MS / 1000 + 60 });
    const body = Buffer.from(`{"amount":${AMOUNT},"currency":"GBP"}`);
    const target = {
      answer: ({ status }: { status: number }) => assert.equal(status, 201),
      fail: ({ code }: { code: string }) => assert.fail(code),
      cork: (work: () => void) => work(),
    };
    assert.ok(this.rig.queue(0).add(REQUEST.invest, 0, 1, token, 'key', body, target));
  }
}

/** The word of a ledger; every other investor has no money. */
function outcomeOf(
  { id, round, investor, sequence, currency }: InvestmentMessage,
  at: number,
): OutcomeMessage {
  const isSettled = NAMES.indexOf(investor) % 2 === 0;
  return {
    id,
    round,
    investor,
    sequence,
    amount: AMOUNT,
    currency,
    state: isSettled ? 'settled' : 'declined',
    ...(isSettled ? {} : { reason: 'insufficient-funds' as const }),
    balance: 0,
    balanceVersion: 2,
    eligible: true,
    at: new Date(at).toISOString(),
  };
}

test('outcomes an hour late, in reverse, twice, and among poison: one each, and nothing lost', {
  skip: skipWithoutEngine('nsqd'),
}, async (t) => {
  const nsqd = await startNsqd();
  t.after(() => nsqd.remove());
  const settings = { nsqd: [nsqd.tcpAddress], nsqlookupd: [], tls: null, authSecret: null };
  const bus = new NsqBus({ settings, channel: 'edge', logger });
  const ledger = new NsqBus({ settings, channel: 'ledger', logger });
  const edge = new Edge();
  await edge.start(t, bus);
  t.after(() => Promise.all([bus.close(), ledger.close()]));
  const { outbox, intake, deadLetters } = edge.parts;
  await until(() => bus.connected && ledger.connected, 'connections');

  const asked: InvestmentMessage[] = [];
  ledger.subscribe(
    TOPICS.investments,
    (message) => {
      const read = decodeInvestmentMessage(message.body);
      assert.ok(read.ok);
      asked.push(read.value);
      message.finish();
    },
    { maxInFlight: 100 },
  );
  outbox.tick();
  await until(() => asked.length === NAMES.length, 'what was accepted');

  // Nothing comes back for an hour; the outbox asks again, and does not flood.
  while (edge.nowMs < START_MS + HOUR_MS) {
    edge.nowMs += 10_000;
    outbox.tick();
    await new Promise(setImmediate);
  }
  await until(() => bus.counts.outstanding === 0, 'the end of the repeated publishes');
  const repeats = outbox.republished;
  assert.ok(repeats >= NAMES.length && repeats <= 7 * NAMES.length, `${repeats} repeats`);
  await until(() => asked.length === NAMES.length + repeats, 'the repeats');
  assert.equal(await edge.open(), NAMES.length);

  intake.start();
  const outcomes = asked.map((investment) => outcomeOf(investment, edge.nowMs)).toReversed();
  const first = outcomes.at(-1)!;
  const bodies = [
    Buffer.from('{"id":'),
    ...outcomes.map(encodeMessage),
    encodeMessage({ ...first, id: 'another1-1' }),
    encodeMessage({ ...first, state: 'declined', reason: 'not-eligible' }),
    ...outcomes.toReversed().map(encodeMessage),
  ];
  assert.ok((await ledger.publish(TOPICS.outcomes, bodies)).ok);
  const { counts } = intake;
  const handled = (): number =>
    counts.applied + counts.duplicates + counts.unknown + counts.conflicts + counts.poison;
  await until(() => handled() === bodies.length, 'every message');
  const dead: DeadLetter[] = [];
  ledger.subscribe(
    deadTopic(TOPICS.outcomes),
    (message) => {
      dead.push(JSON.parse(Buffer.from(message.body).toString()) as DeadLetter);
      message.finish();
    },
    { maxInFlight: 10 },
  );
  await until(() => dead.length === 3, 'the dead letters');

  assert.deepEqual(edge.told.toSorted(), [
    'ann settled',
    'ben declined',
    'cat settled',
    'dan declined',
    'eve settled',
  ]);
  assert.equal(counts.applied, NAMES.length);
  assert.equal(intake.lagS, HOUR_MS / 1000);
  assert.deepEqual([await edge.open(), outbox.unconfirmed], [0, 0]);
  const { counters } = edge.rig;
  assert.deepEqual(
    [counters.settled(1), counters.investors(1), counters.room(1)],
    [3_000, 3, ROUND.cap - 3_000],
  );
  assert.deepEqual(dead.map(({ reason }) => reason).toSorted(), ['conflict', 'unknown', 'unreadable']);
  const poison = dead.find(({ reason }) => reason === 'unreadable');
  assert.equal(Buffer.from(poison?.body ?? '', 'base64').toString(), '{"id":');
  assert.equal(poison?.at, new Date(edge.nowMs).toISOString());
  assert.equal(deadLetters.lost, 0);
});
