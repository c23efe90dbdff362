// The shared room under contention: threads reserve at once, and never past the cap, and never too little (I1, I12).
// This file runs itself again as the threads.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Counters, counterBytes, STAT } from './counters.js';
import { ROUNDS_MAX } from './limits.js';

const THREADS = 4;
const ROUND = 7;
const CAP = 30_000_000_000;
const AMOUNT_MAX = 3_000_000;

interface Task {
  readonly memory: SharedArrayBuffer;
  readonly gate: SharedArrayBuffer;
  readonly seed: number;
}

interface Report {
  readonly reserved: number;
  readonly refusedMin: number;
  /** Refusals that named room enough. */
  readonly wrong: number;
}

/** Reserves random amounts, and gives some back, until room has been refused many times. */
function reserveAll({ memory, gate, seed }: Task): Report {
  const counters = new Counters(memory);
  const flag = new Int32Array(gate);
  Atomics.add(flag, 1, 1);
  Atomics.notify(flag, 1);
  Atomics.wait(flag, 0, 0);
  let state = seed;
  let reserved = 0;
  let wrong = 0;
  let refusedMin = Number.POSITIVE_INFINITY;
  let returns = 0;
  for (let refusals = 0; refusals < 2_000; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const amount = 1 + (state % AMOUNT_MAX);
    const room = counters.reserve(ROUND, amount);
    if (room < 0) {
      reserved += amount;
      // Only while there is plenty: what is given back late may be what was refused before.
      if (state % 5 === 0 && returns < 1_000 && counters.room(ROUND) > CAP / 2) {
        counters.addRoom(ROUND, amount);
        reserved -= amount;
        returns++;
      }
      continue;
    }
    refusals++;
    refusedMin = Math.min(refusedMin, amount);
    if (room >= amount) wrong++;
  }
  return { reserved, refusedMin, wrong };
}

async function contend(): Promise<void> {
  const memory = new SharedArrayBuffer(counterBytes(THREADS));
  const gate = new SharedArrayBuffer(8);
  const counters = new Counters(memory);
  counters.restore(ROUND, { room: CAP, investors: 0, settled: 0, declined: 0 });
  const threads = Array.from({ length: THREADS }, (_, i) => {
    const task: Task = { memory, gate, seed: 1 + i * 7919 };
    return new Worker(new URL(import.meta.url), { workerData: task });
  });
  const reports = threads.map(async (thread) => (await once(thread, 'message'))[0] as Report);
  // All start at one moment, when the last has said that it is there.
  const flag = new Int32Array(gate);
  for (let there = 0; there < THREADS; there = Atomics.load(flag, 1))
    await new Promise((resolve) => setImmediate(resolve));
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  const all = await Promise.all(reports);
  const reserved = all.reduce((sum, each) => sum + each.reserved, 0);
  const left = counters.room(ROUND);
  assert.ok(left >= 0 && reserved <= CAP, 'I1');
  assert.equal(reserved + left, CAP, 'what was told and what is stored agree');
  assert.ok(left < Math.min(...all.map(({ refusedMin }) => refusedMin)), 'I12');
  assert.ok(
    all.every(({ wrong }) => wrong === 0),
    'I11',
  );
}

function tests(): void {
  test('threads that reserve at once never pass the cap, and leave no room that was refused', contend);

  test('a refusal says the room there was and takes nothing', () => {
    const counters = new Counters(new SharedArrayBuffer(counterBytes(1)));
    counters.restore(1, { room: 1_000, investors: 2, settled: 3, declined: 4 });
    assert.equal(counters.reserve(1, 1_001), 1_000);
    assert.equal(counters.reserve(1, 1_000), -1);
    assert.equal(counters.reserve(1, 1), 0);
    counters.addRoom(1, 5);
    assert.deepEqual(
      [counters.room(1), counters.investors(1), counters.settled(1), counters.declined(1)],
      [5, 2, 3, 4],
    );
  });

  test('sums past 2^32 and up to 2^53-1 are exact, and rounds do not touch each other', () => {
    const counters = new Counters(new SharedArrayBuffer(counterBytes(2)));
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      counters.restore(round, {
        room: Number.MAX_SAFE_INTEGER - round,
        investors: round,
        settled: 0,
        declined: 0,
      });
      counters.setState(round, round % 2 === 0 ? 'open' : 'paused');
    }
    counters.indexedSequence = 2 ** 45;
    counters.stats(1)[STAT.codeFirst + 20] = 1;
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      assert.equal(counters.reserve(round, 2 ** 40), -1);
      assert.equal(counters.room(round), Number.MAX_SAFE_INTEGER - round - 2 ** 40);
      assert.deepEqual(
        [counters.investors(round), counters.state(round)],
        [round, round % 2 === 0 ? 'open' : 'paused'],
      );
    }
    assert.equal(counters.indexedSequence, 2 ** 45);
    assert.equal(
      counters.stats(0).some((value) => value !== 0),
      false,
    );
  });
}

if (isMainThread) tests();
else parentPort?.postMessage(reserveAll(workerData as Task));
