// The outbox: everything accepted is published until its outcome is there; never more than a window at a time; again
// after a growing patience; and never lost, whatever the bus answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { InvestmentIds, ownLineage } from '../core/ids.js';
import {
  OUTBOX_PUBLISH_MAX,
  OUTBOX_REPUBLISH_MAX_MS,
  OUTBOX_REPUBLISH_MIN_MS,
  OUTBOX_TICK_MS,
  OUTBOX_WINDOW,
} from '../core/limits.js';
import { decodeInvestmentMessage, TOPICS } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import type { VerdictRow } from '../core/rows.js';
import type { PublishFailure } from '../engines/bus.js';
import { OutboxPublisher } from './outbox-publisher.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const ROUND = { number: 1, id: 'crowd', currency: 'GBP', cap: 9_000 } as RoundDefinition;

const row = (sequence: number, round = 1): VerdictRow => ({
  kind: 'verdict',
  sequence,
  at: 1_000 + sequence,
  round,
  investor: `investor-${sequence}`,
  key: 'k',
  verdict: 'accepted',
  amount: sequence * 10,
  extra: 0,
});

/** An index that lists rows, and a bus that answers when it is told to. */
class World {
  rows: VerdictRow[] = [];
  connected = true;
  nowMs = 0;
  readonly published: number[][] = [];
  readonly outbox: OutboxPublisher;
  #answers: ((result: Result<void, PublishFailure>) => void)[] = [];
  doubt = (): void => undefined;
  #listener: ((connected: boolean) => void) | null = null;

  constructor() {
    const world = this;
    this.outbox = new OutboxPublisher({
      source: {
        outboxAfter: (sequence, limit) => world.rows.filter((one) => one.sequence > sequence).slice(0, limit),
      },
      bus: {
        get connected() {
          return world.connected;
        },
        onConnectedChange: (listener) => {
          world.#listener = listener;
          return () => undefined;
        },
        onDoubt: (listener) => {
          world.doubt = listener;
          return () => undefined;
        },
        publish: (topic, bodies) => {
          assert.equal(topic, TOPICS.investments);
          world.published.push(
            bodies.map((body) => {
              const read = decodeInvestmentMessage(body);
              assert.ok(read.ok);
              const { sequence, id, investor, amount, epoch, cap, currency, round } = read.value;
              assert.deepEqual(
                [id, investor, amount],
                [`abcd1234-${sequence.toString(36)}`, `investor-${sequence}`, sequence * 10],
              );
              assert.deepEqual([epoch, cap, currency, round], [4, 9_000, 'GBP', 'crowd']);
              return sequence;
            }),
          );
          return new Promise((resolve) => world.#answers.push(resolve));
        },
      },
      ids: new InvestmentIds(ownLineage('abcd1234')),
      epoch: 4,
      roundByNumber: (number) => (number === 1 ? ROUND : undefined),
      logger: pino({ level: 'silent' }),
      clock: () => this.nowMs,
      random: () => 1,
    });
  }

  async answer(result: Result<void, PublishFailure>): Promise<void> {
    for (const resolve of this.#answers.splice(0)) resolve(result);
    await settled();
  }

  connect(): void {
    this.connected = true;
    this.#listener?.(true);
  }

  /** What a tick publishes. */
  tick(): number[] {
    const before = this.published.length;
    this.outbox.tick();
    return this.published.slice(before).flat();
  }
}

test('what is accepted is published in order, once, in bounded publishes', async () => {
  const world = new World();
  world.rows = Array.from({ length: OUTBOX_PUBLISH_MAX + 5 }, (_, i) => row(i + 1));
  assert.deepEqual(
    world.tick(),
    world.rows.map(({ sequence }) => sequence),
  );
  assert.deepEqual(
    world.published.map(({ length }) => length),
    [OUTBOX_PUBLISH_MAX, 5],
  );
  assert.deepEqual(world.tick(), [], 'not while the bus has it');
  await world.answer(ok(undefined));
  assert.deepEqual(world.tick(), [], 'not before its patience is over');
  assert.equal(world.outbox.oldestAcceptedAtMs, 1_001);
});

test('a window bounds what is outstanding; outcomes move it on', async () => {
  const world = new World();
  world.rows = Array.from({ length: OUTBOX_WINDOW + 50 }, (_, i) => row(i + 1));
  assert.equal(world.tick().length, OUTBOX_WINDOW);
  await world.answer(ok(undefined));
  assert.deepEqual([world.tick(), world.outbox.unconfirmed], [[], OUTBOX_WINDOW]);
  for (let sequence = 1; sequence <= 10; sequence++) world.outbox.confirm(sequence);
  assert.deepEqual(
    world.tick(),
    Array.from({ length: 10 }, (_, i) => OUTBOX_WINDOW + 1 + i),
  );
});

test('without an outcome it is published again, after twice as long each time, up to a bound', async () => {
  const world = new World();
  world.rows = [row(1)];
  world.tick();
  let patience = OUTBOX_REPUBLISH_MIN_MS;
  for (let i = 0; i < 6; i++) {
    await world.answer(ok(undefined));
    const jittered = patience * 1.25;
    world.nowMs += jittered - 1;
    assert.deepEqual(world.tick(), [], `${patience} ms`);
    world.nowMs += 1;
    assert.deepEqual(world.tick(), [1], `${patience} ms`);
    patience = Math.min(OUTBOX_REPUBLISH_MAX_MS, patience * 2);
  }
  assert.equal(world.outbox.republished, 6);
  world.outbox.confirm(1);
  world.nowMs += OUTBOX_REPUBLISH_MAX_MS * 2;
  await world.answer(ok(undefined));
  assert.deepEqual(world.tick(), []);
});

test('a publish that failed is tried again soon; without a bus nothing is', async () => {
  const world = new World();
  world.rows = [row(1), row(2)];
  world.connected = false;
  assert.deepEqual(world.tick(), []);
  world.outbox.start();
  world.connect();
  world.outbox.stop();
  assert.deepEqual(world.published, [[1, 2]]);
  await world.answer(err('unreachable'));
  assert.deepEqual(world.tick(), []);
  world.nowMs += OUTBOX_TICK_MS;
  assert.deepEqual(world.tick(), [1, 2]);
});

test('an outcome that comes before the index lists its row, or while it is at the bus, ends it', async () => {
  const world = new World();
  world.outbox.confirm(1);
  world.rows = [row(1), row(2)];
  assert.deepEqual(world.tick(), [2]);
  world.outbox.confirm(2);
  await world.answer(err('timeout'));
  world.nowMs += OUTBOX_REPUBLISH_MAX_MS * 2;
  assert.deepEqual([world.tick(), world.outbox.unconfirmed], [[], 0]);
});

test('a row of an unknown round is passed over and holds nothing up', () => {
  const world = new World();
  world.rows = [row(1, 9), row(2)];
  assert.deepEqual(world.tick(), [2]);
});

test('replay publishes again at once what the bus does not hold', async () => {
  const world = new World();
  world.rows = [row(1)];
  world.tick();
  assert.equal(world.outbox.replay(), 0, 'it is on its way');
  await world.answer(ok(undefined));
  world.rows.push(row(2));
  assert.equal(world.outbox.replay(), 1);
  assert.deepEqual(world.published, [[1], [1, 2]]);
});
