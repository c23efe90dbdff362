// An audit while everything goes on: wherever it waits, shards, indexer, ledger and watermark take random steps. It must
// never see a difference where there is none, and always the one that is there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditWorld, type Held, ROUND } from './fake-audit-world.js';

const RUNS = 20;
const FIRST_SEED = 1 + Math.floor(Math.random() * 1_000_000);

/** A sequence of numbers from 0 to below `limit`, the same for the same seed (xorshift32). */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** Everything that a node and a ledger do, one step at a time and in any order that they allow. */
class Motion {
  readonly #world: AuditWorld;
  readonly #next: (limit: number) => number;
  readonly #undecided: Held[] = [];
  readonly #decided: (readonly [Held, 'settled' | 'declined'])[] = [];
  steps = 0;

  constructor(world: AuditWorld, seed: number) {
    this.#world = world;
    this.#next = numbers(seed);
  }

  async some(): Promise<void> {
    for (let left = this.#next(6); left > 0; left--) await this.step();
  }

  async step(): Promise<void> {
    const world = this.#world;
    this.steps += 1;
    switch (this.#next(10)) {
      case 0:
      case 1:
        world.beginAccept(1 + this.#next(900));
        break;
      case 2:
      case 3:
        this.#undecided.push(world.accept(1 + this.#next(900)));
        break;
      case 4:
      case 5: {
        const held = this.#pick(this.#undecided);
        if (held === undefined) break;
        const state = this.#next(3) === 0 ? 'declined' : 'settled';
        world.decide(held, state);
        this.#decided.push([held, state]);
        break;
      }
      case 6: {
        const decided = this.#pick(this.#decided);
        if (decided !== undefined) world.beginOutcome(...decided);
        break;
      }
      case 7:
        world.endOne();
        break;
      case 8:
        await world.indexer.catchUp();
        break;
      case 9:
        if (this.#next(4) === 0) world.raiseCap(1 + this.#next(5000));
        else world.mark();
        break;
    }
  }

  #pick<T>(from: T[]): T | undefined {
    return from.length === 0 ? undefined : from.splice(this.#next(from.length), 1)[0];
  }
}

async function moving(seed: number, spoil: (world: AuditWorld) => void = () => undefined) {
  const world = await AuditWorld.make();
  try {
    const motion = new Motion(world, seed);
    for (let i = 0; i < 60; i++) await motion.step();
    world.endAll();
    spoil(world);
    world.onPause = () => motion.some();
    const before = motion.steps;
    return { report: await world.audit(), steps: motion.steps - before };
  } finally {
    await world.end();
  }
}

test(`a running node has no difference (seeds from ${FIRST_SEED})`, async () => {
  let steps = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const { report, steps: made } = await moving(seed);
    assert.deepEqual([report.differences, report.ok], [[], true], `seed ${seed}`);
    steps += made;
  }
  assert.ok(steps > RUNS * 20, 'the world must move while it is audited');
});

test(`room that has leaked is seen while the node runs (seeds from ${FIRST_SEED})`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + 5; seed++) {
    // More than what is on its way at any time.
    const { report } = await moving(seed, (world) => world.counters.addRoom(ROUND.number, -1_000_000));
    assert.equal(report.differences[0]?.kind, 'counters-differ', `seed ${seed}`);
    const { report: oversold } = await moving(seed, (world) =>
      world.counters.addRoom(ROUND.number, 1_000_000),
    );
    assert.equal(oversold.differences[0]?.kind, 'counters-differ', `seed ${seed}`);
  }
});

test(`an outcome that the ledger has lost is seen while the node runs (seeds from ${FIRST_SEED})`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + 5; seed++) {
    const { report } = await moving(seed, (world) => {
      const held = world.accept();
      world.settle(held);
      world.ledger.outcomes.pop();
    });
    assert.deepEqual(
      report.differences.map(({ kind }) => kind),
      ['ledger-missing'],
      `seed ${seed}`,
    );
  }
});
