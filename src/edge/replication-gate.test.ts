// Replies wait for their rows, in order, within bounds, and are never told more than is true.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Problem } from '../core/problem.js';
import { ReplicationGate } from './replication-gate.js';

class World {
  replicated = 0;
  owns = true;
  nowMs = 0;
  wakes = 0;
  readonly told: string[] = [];
  readonly gate: ReplicationGate;

  constructor(heldMax = 8) {
    this.gate = new ReplicationGate({
      replicated: () => this.replicated,
      owns: () => this.owns,
      wake: () => {
        this.wakes += 1;
      },
      clock: () => this.nowMs,
      heldMax,
      deadlineMs: 100,
    });
  }

  hold(sequence: number, name = `${sequence}`): void {
    this.gate.hold(sequence, (problem: Problem | null) =>
      this.told.push(problem === null ? name : `${name} ${problem.code}`),
    );
  }
}

describe('a batch', () => {
  test('goes at once when its rows are replicated, and wakes nobody', () => {
    const world = new World();
    world.replicated = 10;
    world.hold(10);
    assert.deepEqual([world.told, world.wakes, world.gate.held], [['10'], 0, 0]);
  });

  test('waits for its last row, and wakes the replicator', () => {
    const world = new World();
    world.hold(10);
    world.replicated = 9;
    world.gate.advance();
    assert.deepEqual([world.told, world.wakes, world.gate.held], [[], 1, 1]);
    world.replicated = 10;
    world.gate.advance();
    assert.deepEqual([world.told, world.gate.held], [['10'], 0]);
    world.gate.advance();
    assert.equal(world.told.length, 1, 'once');
  });

  test('never overtakes one before it, also when its rows came in between', () => {
    const world = new World();
    world.hold(10, 'first');
    world.replicated = 10;
    // Nobody has told the gate yet.
    world.hold(10, 'second');
    assert.deepEqual(world.told, []);
    world.gate.advance();
    assert.deepEqual(world.told, ['first', 'second']);
  });

  test('that waits too long is told that it is not durable, and the later ones go on waiting', () => {
    const world = new World();
    world.hold(10);
    world.nowMs = 60;
    world.hold(20);
    assert.equal(world.gate.oldestMs, 60);
    world.nowMs = 100;
    world.gate.expire();
    assert.deepEqual([world.told, world.gate.held, world.gate.late], [['10 not-durable'], 1, 1]);
    world.replicated = 20;
    world.nowMs = 1_000;
    world.gate.expire();
    assert.deepEqual(world.told, ['10 not-durable', '20'], 'replicated is not late, whoever looked when');
  });

  test('beyond the bound sends the oldest away, so that every shard still answers in order', () => {
    const world = new World(2);
    for (const sequence of [1, 2, 3]) world.hold(sequence);
    assert.deepEqual([world.told, world.gate.held, world.gate.late], [['1 not-durable'], 2, 1]);
    world.replicated = 3;
    world.gate.advance();
    assert.deepEqual(world.told, ['1 not-durable', '2', '3']);
  });
});

describe('a node that may be the owner no more', () => {
  test('tells no yes, not even of rows that have arrived: they may have come after the next owner read them', () => {
    const world = new World();
    world.hold(1);
    world.owns = false;
    world.replicated = 1;
    world.gate.advance();
    world.hold(1, 'again');
    assert.deepEqual(world.told, ['1 fenced', 'again fenced']);
    world.owns = true;
    world.hold(1, 'once more');
    assert.deepEqual(world.told.at(-1), 'once more fenced', 'for good');
  });

  test('is asked after the rows were seen, never before: the lease may end in between', () => {
    const asked: string[] = [];
    const gate = new ReplicationGate({
      replicated: () => {
        asked.push('rows');
        return 1;
      },
      owns: () => {
        asked.push('lease');
        return true;
      },
      wake: () => undefined,
      clock: () => 0,
    });
    gate.hold(1, () => asked.push('yes'));
    assert.deepEqual(asked, ['rows', 'lease', 'yes']);
  });

  test('tells whoever waits when it looks, also where nothing arrives', () => {
    const world = new World();
    world.hold(1);
    world.owns = false;
    world.gate.expire();
    assert.deepEqual([world.told, world.gate.held], [['1 fenced'], 0]);
  });

  test('and is told so by a newer epoch in the store', () => {
    const world = new World();
    world.hold(1);
    world.gate.fence();
    world.replicated = 5;
    world.gate.advance();
    world.hold(2);
    world.gate.fence();
    assert.deepEqual([world.told, world.gate.held], [['1 fenced', '2 fenced'], 0]);
  });
});

test('a release may hold the next batch', () => {
  const world = new World();
  world.gate.hold(1, () => {
    world.told.push('1');
    world.hold(2);
  });
  world.replicated = 1;
  world.gate.advance();
  assert.deepEqual([world.told, world.gate.held], [['1'], 1]);
});

test('whatever happens, each batch is told once, in order, and yes only when its rows are there', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('hold' as const), rows: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ kind: fc.constant('replicate' as const), rows: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ kind: fc.constant('time' as const), rows: fc.integer({ min: 1, max: 60 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = new World(4);
      let sequence = 0;
      let held = 0;
      const told: number[] = [];
      for (const { kind, rows } of steps) {
        if (kind === 'hold') {
          sequence += rows;
          const [mine, wanted] = [held++, sequence];
          world.gate.hold(wanted, (problem) => {
            told.push(mine);
            if (problem === null) assert.ok(world.replicated >= wanted, 'yes before the rows are there');
          });
        } else if (kind === 'replicate') {
          world.replicated = Math.min(sequence, world.replicated + rows);
          world.gate.advance();
        } else {
          world.nowMs += rows;
          world.gate.expire();
        }
      }
      world.replicated = sequence;
      world.gate.advance();
      assert.equal(new Set(told).size, held);
      assert.equal(told.length, held);
    }),
  );
});
