// The outbox behind a broker, through hours of a clock that is passed in: a slow ledger is not sent the same over and
// over, and what was lost is sent again soon.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { InvestmentIds, ownLineage } from '../core/ids.js';
import { OUTBOX_PROBES_MAX, OUTBOX_WINDOW } from '../core/limits.js';
import { decodeInvestmentMessage } from '../core/messages.js';
import { ok } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import type { VerdictRow } from '../core/rows.js';
import { OutboxPublisher } from './outbox-publisher.js';

const STEP_MS = 500;
const HOUR_MS = 3_600_000;
const ROUND = { number: 1, id: 'crowd', currency: 'GBP', cap: 9_000 } as RoundDefinition;

const row = (sequence: number): VerdictRow => ({
  kind: 'verdict',
  sequence,
  at: sequence,
  round: 1,
  investor: 'ann',
  key: 'k',
  verdict: 'accepted',
  amount: 1,
  extra: 0,
});

/** Rows 1 to `rows`, a broker with one queue, and a ledger that takes `ratePerS` of it. Repeats cost it nothing. */
class World {
  readonly outbox: OutboxPublisher;
  readonly #rows: number;
  nowMs = 0;
  ratePerS = 0;
  /** What the broker holds. */
  queue: number[] = [];
  readonly done = new Set<number>();
  published = 0;
  most = 0;
  readonly #times = new Map<number, number>();
  #doubt = (): void => undefined;
  #tokens = 0;
  #seed = 42;

  constructor(rows: number) {
    this.#rows = rows;
    this.outbox = new OutboxPublisher({
      source: {
        outboxAfter: (after, limit) => {
          const count = Math.max(0, Math.min(limit, this.#rows - after));
          return Array.from({ length: count }, (_, i) => row(after + 1 + i));
        },
      },
      bus: {
        connected: true,
        onConnectedChange: () => () => undefined,
        onDoubt: (listener) => {
          this.#doubt = listener;
          return () => undefined;
        },
        publish: async (_topic, bodies) => {
          for (const body of bodies) {
            const read = decodeInvestmentMessage(body);
            assert.ok(read.ok);
            this.#take(read.value.sequence);
          }
          return ok(undefined);
        },
      },
      ids: new InvestmentIds(ownLineage('abcd1234')),
      epoch: 1,
      roundByNumber: () => ROUND,
      logger: pino({ level: 'silent' }),
      clock: () => this.nowMs,
      random: () => this.random(),
    });
    this.outbox.start();
    this.outbox.stop();
  }

  get duplicates(): number {
    return this.published - this.#times.size;
  }

  /** The same in every run. */
  random(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return this.#seed / 2_147_483_648;
  }

  /** The broker dies with what it holds. */
  lose(): void {
    this.queue = [];
  }

  /** And it is seen. */
  doubt(): void {
    this.#doubt();
  }

  /** Lets time pass; stops early when all is done. */
  async run(durationMs: number): Promise<void> {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs && this.done.size < this.#rows; ) {
      this.nowMs += STEP_MS;
      this.outbox.tick();
      // The answers of the publishes, each some turns of the microtask queue away.
      for (let turn = 0; turn < 4; turn++) await null;
      this.#settle();
    }
  }

  #take(sequence: number): void {
    this.published++;
    const times = (this.#times.get(sequence) ?? 0) + 1;
    this.#times.set(sequence, times);
    this.most = Math.max(this.most, times);
    this.queue.push(sequence);
  }

  #settle(): void {
    this.#tokens = Math.min(this.ratePerS, this.#tokens + (this.ratePerS * STEP_MS) / 1000);
    while (this.queue.length > 0 && (this.#tokens >= 1 || this.done.has(this.queue[0]!))) {
      if (this.ratePerS === 0) return;
      const sequence = this.queue.shift()!;
      if (!this.done.has(sequence)) this.#tokens--;
      this.done.add(sequence);
      this.outbox.confirm(sequence);
    }
  }
}

test('a backlog that takes a ledger of 60 a second half an hour goes out once', async () => {
  const world = new World(60 * 1_800);
  world.ratePerS = 60;
  await world.run(HOUR_MS);
  assert.deepEqual([world.done.size, world.duplicates], [60 * 1_800, 0]);
});

test('so does a window that takes a ledger of one a second ten minutes', async () => {
  const world = new World(OUTBOX_WINDOW + 88);
  world.ratePerS = 1;
  await world.run(HOUR_MS);
  assert.deepEqual([world.done.size, world.duplicates], [OUTBOX_WINDOW + 88, 0]);
});

test('a ledger that is away for an hour is sent a few probes, and nothing more when it is back', async () => {
  const world = new World(2_000);
  await world.run(HOUR_MS);
  const probes = world.duplicates;
  assert.ok(probes >= OUTBOX_PROBES_MAX, `${probes} probes`);
  assert.ok(probes <= 7 * OUTBOX_PROBES_MAX, `${probes} duplicates`);
  world.ratePerS = 60;
  await world.run(120_000);
  assert.deepEqual([world.done.size, world.duplicates], [2_000, probes]);
});

test('what a broker lost when it was seen to die goes out again within seconds', async () => {
  const world = new World(OUTBOX_WINDOW);
  await world.run(1_000);
  assert.equal(world.queue.length, OUTBOX_WINDOW);
  world.lose();
  world.doubt();
  world.ratePerS = 10_000;
  await world.run(10_000);
  assert.deepEqual([world.done.size, world.most], [OUTBOX_WINDOW, 2]);
});

test('a broker that goes again and again does not get everything each time', async () => {
  const world = new World(OUTBOX_WINDOW);
  for (let second = 0; second < 3_600; second += 10) {
    await world.run(10_000);
    world.doubt();
  }
  assert.ok(world.most <= 12, `${world.most} times in an hour`);
});

test('what was lost unseen is missed as soon as later ones have their outcome', async () => {
  const world = new World(4_000);
  world.ratePerS = 60;
  await world.run(5_000);
  const before = world.queue.length;
  world.queue = world.queue.filter(() => world.random() < 0.5);
  const lost = before - world.queue.length;
  assert.ok(lost > 100);
  await world.run(45_000);
  // At 60 a second the window behind the gap is done in nine seconds; then they are missed, and rest ten.
  assert.ok(world.done.size > 45 * 60, `${world.done.size} are done`);
  assert.equal(world.duplicates, lost);
  await world.run(HOUR_MS);
  assert.deepEqual([world.done.size, world.duplicates], [4_000, lost]);
});

test('all of it lost unseen, with nothing behind it, is found out by the probes', async () => {
  const world = new World(OUTBOX_WINDOW);
  await world.run(1_000);
  world.lose();
  world.ratePerS = 10_000;
  await world.run(100_000);
  assert.deepEqual([world.done.size, world.most], [OUTBOX_WINDOW, 2]);
});

test('a queue without any order costs a slow ledger few repeats', async () => {
  const world = new World(3_000);
  world.ratePerS = 20;
  while (world.done.size < 3_000) {
    await world.run(STEP_MS);
    world.queue.sort(() => world.random() - 0.5);
    assert.ok(world.nowMs < HOUR_MS);
  }
  assert.ok(world.duplicates < 3_000, `${world.duplicates} duplicates of 3,000`);
});

test('a replay goes out at once, whatever was thought of it', async () => {
  const world = new World(OUTBOX_WINDOW);
  await world.run(1_000);
  assert.equal(world.outbox.replay(), OUTBOX_WINDOW);
  assert.equal(world.duplicates, OUTBOX_WINDOW);
});
