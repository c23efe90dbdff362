// Outcomes on their way in: finished only when journaled, in batches, whatever is repeated, poisoned or of nobody.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { InvestmentIds, ownLineage } from '../core/ids.js';
import { MESSAGE_ATTEMPTS_MAX, OUTCOME_REQUEUE_MAX_MS, OUTCOMES_BATCH_MAX } from '../core/limits.js';
import { type BalanceMessage, encodeMessage, type OutcomeMessage, TOPICS } from '../core/messages.js';
import { ok } from '../core/result.js';
import type { Message } from '../engines/bus.js';
import { DeadLetters } from '../engines/dead-letters.js';
import type { OutcomeApplied } from '../workers/protocol.js';
import { OutcomeIntake } from './outcome-intake.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const AT = '2026-11-23T10:00:00.000Z';

const outcome = (sequence: number, more: Partial<OutcomeMessage> = {}): OutcomeMessage => ({
  id: `abcd1234-${sequence.toString(36)}`,
  round: 'crowd',
  investor: `investor-${sequence}`,
  sequence,
  amount: 5,
  currency: 'GBP',
  state: 'settled',
  balance: 1,
  balanceVersion: 1,
  eligible: true,
  at: AT,
  ...more,
});

const balance: BalanceMessage = {
  investor: 'ann',
  currency: 'GBP',
  balance: 1,
  eligible: true,
  version: 2,
  at: AT,
};

class World {
  readonly handlers = new Map<string, (message: Message) => void>();
  readonly ends: string[] = [];
  readonly batches: number[][] = [];
  readonly done: number[] = [];
  readonly told: string[] = [];
  readonly balances: BalanceMessage[][] = [];
  balancesWork = true;
  answers: ((results: readonly OutcomeApplied[] | null) => void)[] = [];
  closed = 0;
  /** Whether the bus keeps what is put aside, and the reasons of what was. */
  keepsMessages = false;
  readonly dead: string[] = [];
  readonly intake: OutcomeIntake;

  constructor(keepsMessages = false) {
    this.keepsMessages = keepsMessages;
    this.intake = new OutcomeIntake({
      bus: {
        subscribe: (topic, handler, { maxInFlight }) => {
          assert.ok(maxInFlight >= OUTCOMES_BATCH_MAX);
          this.handlers.set(topic, handler);
          return { close: () => void this.closed++ };
        },
      },
      deadLetters: new DeadLetters({
        bus: {
          keepsMessages: this.keepsMessages,
          publish: async (topic, [letter]) => {
            this.dead.push(`${topic} ${(JSON.parse(String(letter)) as { reason: string }).reason}`);
            return ok(undefined);
          },
        },
        logger: pino({ level: 'silent' }),
        nowMs: () => 0,
      }),
      ids: new InvestmentIds(ownLineage('abcd1234')),
      applyOutcomes: (outcomes) => {
        this.batches.push(outcomes.map(({ sequence }) => sequence));
        return new Promise((resolve) => this.answers.push(resolve));
      },
      applyBalances: async (messages) => {
        this.balances.push([...messages]);
        return this.balancesWork;
      },
      onDone: (sequence) => this.done.push(sequence),
      onOutcome: (round, investor) => this.told.push(`${round} ${investor}`),
      logger: pino({ level: 'silent' }),
    });
    this.intake.start();
  }

  deliver(topic: string, body: Uint8Array, name: string, attempts = 1): void {
    const message: Message = {
      body,
      attempts,
      finish: () => void this.ends.push(`finish ${name}`),
      requeue: (delayMs) => {
        assert.equal(delayMs, Math.min(OUTCOME_REQUEUE_MAX_MS, 1_000 * 2 ** (attempts - 1)));
        this.ends.push(`requeue ${name}`);
      },
      touch: () => undefined,
    };
    this.handlers.get(topic)!(message);
  }

  outcome(message: OutcomeMessage): void {
    this.deliver(TOPICS.outcomes, encodeMessage(message), `${message.sequence}`);
  }

  async answer(results: readonly OutcomeApplied['result'][] | null): Promise<void> {
    const investment = { acceptedAt: AT, settledAt: '2026-11-23T11:00:00.000Z' };
    this.answers.shift()!(
      results?.map((result) => ({ result, investment: result === 'applied' ? investment : null })) ?? null,
    );
    await settled();
    await settled();
  }
}

test('nothing is finished before it is journaled; the investor hears of it then, an hour late too', async () => {
  const world = new World();
  world.outcome(outcome(1));
  world.outcome(outcome(2));
  await settled();
  assert.deepEqual([world.batches, world.ends, world.done], [[[1, 2]], [], []]);
  await world.answer(['applied', 'applied']);
  assert.deepEqual(world.ends, ['finish 1', 'finish 2']);
  assert.deepEqual(
    [world.done, world.told],
    [
      [1, 2],
      ['crowd investor-1', 'crowd investor-2'],
    ],
  );
  assert.equal(world.intake.lagS, 3_600);
});

test('duplicates end their row and tell nobody again; what fits nothing is finished and counted', async () => {
  const world = new World();
  for (const sequence of [3, 1, 2, 4]) world.outcome(outcome(sequence));
  await settled();
  assert.deepEqual(world.batches, [[3, 1, 2, 4]], 'in the order of arrival');
  await world.answer(['duplicate', 'unknown', 'conflict', 'applied']);
  assert.deepEqual([world.done, world.told], [[3, 4], ['crowd investor-4']]);
  assert.deepEqual(world.ends, ['finish 3', 'finish 1', 'finish 2', 'finish 4']);
  assert.deepEqual(world.intake.counts, { applied: 1, duplicates: 1, unknown: 1, conflicts: 1, poison: 0 });
});

test('poison is dropped at once and does not stop the others', async () => {
  const world = new World();
  world.deliver(TOPICS.outcomes, Buffer.from('{"id":'), 'poison');
  world.deliver(TOPICS.outcomes, encodeMessage(outcome(1, { amount: 1.5 })), 'float');
  world.deliver(TOPICS.balances, Buffer.from('[]'), 'list');
  world.outcome(outcome(2));
  await settled();
  assert.deepEqual(world.ends, ['finish poison', 'finish float', 'finish list']);
  assert.deepEqual([world.batches, world.intake.counts.poison], [[[2]], 3]);
});

test('over a broker poison, and what fits nothing, is put aside with its reason', async () => {
  const world = new World(true);
  world.deliver(TOPICS.balances, Buffer.from('[]'), 'list');
  for (const sequence of [1, 2, 3]) world.outcome(outcome(sequence));
  await settled();
  await world.answer(['unknown', 'conflict', 'applied']);
  assert.deepEqual(world.dead.toSorted(), [
    'openbell.balances.dead unreadable',
    'openbell.outcomes.dead conflict',
    'openbell.outcomes.dead unknown',
  ]);
  assert.deepEqual(world.ends.toSorted(), ['finish 1', 'finish 2', 'finish 3', 'finish list']);
});

test('what comes back too often is put aside, where it can be', async () => {
  for (const [keepsMessages, expected] of [
    [true, ['openbell.balances.dead attempts']],
    [false, []],
  ] as const) {
    const world = new World(keepsMessages);
    world.balancesWork = false;
    for (const attempts of [MESSAGE_ATTEMPTS_MAX, MESSAGE_ATTEMPTS_MAX + 1])
      world.deliver(TOPICS.balances, encodeMessage(balance), `${attempts}`, attempts);
    await settled();
    await settled();
    assert.deepEqual(world.dead, expected);
    const worn = keepsMessages ? 'finish' : 'requeue';
    assert.deepEqual(
      world.ends.toSorted(),
      [`requeue ${MESSAGE_ATTEMPTS_MAX}`, `${worn} ${MESSAGE_ATTEMPTS_MAX + 1}`].toSorted(),
    );
  }
});

test('one batch at a time, of bounded size; what comes meanwhile is the next', async () => {
  const world = new World();
  for (let sequence = 1; sequence <= OUTCOMES_BATCH_MAX + 3; sequence++) world.outcome(outcome(sequence));
  await settled();
  world.outcome(outcome(9_999));
  assert.deepEqual(
    world.batches.map(({ length }) => length),
    [OUTCOMES_BATCH_MAX],
  );
  await world.answer(Array<'applied'>(OUTCOMES_BATCH_MAX).fill('applied'));
  assert.deepEqual(
    world.batches.map(({ length }) => length),
    [OUTCOMES_BATCH_MAX, 4],
  );
});

test('when the journal has failed the messages go back', async () => {
  const world = new World();
  world.outcome(outcome(1));
  await settled();
  await world.answer(null);
  assert.deepEqual([world.ends, world.done], [['requeue 1'], []]);
});

test('balances are finished when they are stored, else they go back', async () => {
  const world = new World();
  world.deliver(TOPICS.balances, encodeMessage(balance), 'b');
  await settled();
  await settled();
  assert.deepEqual([world.balances, world.ends], [[[balance]], ['finish b']]);
  world.balancesWork = false;
  world.deliver(TOPICS.balances, encodeMessage(balance), 'b');
  await settled();
  await settled();
  assert.deepEqual(world.ends, ['finish b', 'requeue b']);
});

test('a stop takes nothing more and waits for what was taken', async () => {
  const world = new World();
  world.outcome(outcome(1));
  await settled();
  let stopped = false;
  const stopping = world.intake.stop().then(() => {
    stopped = true;
  });
  await settled();
  assert.deepEqual([world.closed, stopped], [2, false]);
  await world.answer(['applied']);
  await stopping;
  assert.deepEqual(world.ends, ['finish 1']);
});
