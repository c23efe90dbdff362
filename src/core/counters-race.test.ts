// A reservation that fails takes nothing, not even for a moment: if it did, whoever asks in that moment for room that
// there is would be refused (I11, I12). This file runs itself again as the thread that always asks for too much.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Counters, counterBytes } from './counters.js';

const ROUND = 3;
const ROOM = 1_000;
const ATTEMPTS = 300_000;

interface Greedy {
  readonly memory: SharedArrayBuffer;
  /** 1: stop. */
  readonly state: SharedArrayBuffer;
}

function askForTooMuch({ memory, state }: Greedy): void {
  const counters = new Counters(memory);
  const flag = new Int32Array(state);
  parentPort?.postMessage('asking');
  while (Atomics.load(flag, 0) === 0) counters.reserve(ROUND, ROOM + 1);
}

async function askForLittle(): Promise<void> {
  const memory = new SharedArrayBuffer(counterBytes(1));
  const state = new SharedArrayBuffer(4);
  const flag = new Int32Array(state);
  const counters = new Counters(memory);
  counters.restore(ROUND, { room: ROOM, investors: 0, settled: 0, declined: 0 });
  const greedy = new Worker(new URL(import.meta.url), { workerData: { memory, state } satisfies Greedy });
  await once(greedy, 'message');
  let refused = 0;
  for (let i = 0; i < ATTEMPTS; i++) {
    if (counters.reserve(ROUND, 1) >= 0) refused++;
    else counters.addRoom(ROUND, 1);
  }
  Atomics.store(flag, 0, 1);
  await once(greedy, 'exit');
  assert.equal(refused, 0);
  assert.equal(counters.room(ROUND), ROOM);
}

if (isMainThread) test('who asks for too much takes no room from who asks for little', askForLittle);
else askForTooMuch(workerData as Greedy);
