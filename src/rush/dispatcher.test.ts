// Sending against fake lanes: what is dropped, asked again, given up, and when a run ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from './answer.js';
import { AnswerLog, STATE } from './answer-log.js';
import { Dispatcher, type Schedule } from './dispatcher.js';
import type { Lane } from './lane.js';
import { Plan } from './plan.js';

const ACCEPTED: Answer = { status: 201, code: 'accepted', replayed: false, id: 'x', remaining: Number.NaN };
const BOUNDS = { backlogAttempts: 10, retries: 3, requestTimeoutMs: 1_000, drainMs: 60_000 };

/** A lane without a socket: what it is given is kept, and answered when the test says so. */
class FakeLane implements Lane {
  readonly transport = 'http';
  queued = false;
  readonly sent: number[] = [];
  readonly #respond: (lane: FakeLane, attempt: number) => void;
  busy = false;

  constructor(respond: (lane: FakeLane, attempt: number) => void) {
    this.#respond = respond;
  }

  hasRoom(): boolean {
    return !this.busy;
  }

  send(attempt: number): void {
    this.busy = true;
    this.sent.push(attempt);
    this.#respond(this, attempt);
  }

  expire(): void {
    assert.ok(this.sent.length >= 0);
  }

  close(): void {
    this.busy = true;
  }
}

function setUp(
  schedule: Partial<Schedule>,
  drainMs = BOUNDS.drainMs,
): { dispatcher: Dispatcher; log: AnswerLog } {
  const amounts = { amountMin: 1, amountMax: 1, duplicatesPercent: 0, poorPercent: 0 };
  const plan = new Plan({ seed: 1, investors: 10, ...amounts });
  const log = new AnswerLog();
  const all: Schedule = { rate: 1_000, durationMs: 10, attempts: 30, curve: 'flat', ...schedule };
  return { dispatcher: new Dispatcher(plan, log, all, { ...BOUNDS, drainMs }), log };
}

const states = (log: AnswerLog): number[] => Array.from({ length: log.size }, (_, i) => log.state(i));
const signal = new AbortController().signal;

test('what is due while nothing has room waits up to the bound, and is dropped past it', async () => {
  const { dispatcher, log } = setUp({ attempts: 30 }, 100);
  const silent = new FakeLane(() => undefined);
  await dispatcher.connect(() => [silent], 0);
  dispatcher.onRoom(silent);
  await dispatcher.run(signal);
  assert.equal(
    states(log).filter((state) => state === STATE.dropped).length,
    30 - 1 - BOUNDS.backlogAttempts,
  );
  assert.equal(states(log).filter((state) => state === STATE.unknown).length, 1 + BOUNDS.backlogAttempts);
  assert.equal(log.open, 0);
});

test('an attempt that is lost each time is asked again as often as allowed, then unknown', async () => {
  const { dispatcher, log } = setUp({ attempts: 1 });
  const losing = new FakeLane((lane, attempt) => {
    queueMicrotask(() => {
      lane.busy = false;
      dispatcher.onLost(lane, [attempt], 'gone');
      dispatcher.onRoom(lane);
    });
  });
  await dispatcher.connect(() => [losing], 0);
  dispatcher.onRoom(losing);
  await dispatcher.run(signal);
  assert.deepEqual(losing.sent, [0, 0, 0, 0]);
  assert.equal(log.state(0), STATE.unknown);
  assert.equal(dispatcher.losses.get('gone'), 1 + BOUNDS.retries);
  assert.equal(dispatcher.retries, BOUNDS.retries);
});

test('a 5xx is asked again, and the answer that then comes is the one that counts', async () => {
  const { dispatcher, log } = setUp({ attempts: 1 });
  const lane: FakeLane = new FakeLane((self, attempt) => {
    queueMicrotask(() => {
      self.busy = false;
      const first = self.sent.length === 1;
      dispatcher.onAnswer(self, attempt, first ? { ...ACCEPTED, status: 503, code: 'overloaded' } : ACCEPTED);
      dispatcher.onRoom(self);
    });
  });
  await dispatcher.connect(() => [lane], 0);
  dispatcher.onRoom(lane);
  await dispatcher.run(signal);
  assert.equal(log.code(0), 'accepted');
  assert.equal(dispatcher.losses.get('overloaded'), 1);
  assert.equal(dispatcher.latency.totalCount, 1);
});

test('in a closed loop the number of attempts is kept to, and an interrupt ends it early', async () => {
  for (const interruptedAt of [undefined, 50]) {
    const { dispatcher, log } = setUp({ rate: 0, durationMs: Number.POSITIVE_INFINITY, attempts: 200 });
    const interrupt = new AbortController();
    const lane: FakeLane = new FakeLane((self, attempt) => {
      queueMicrotask(() => {
        self.busy = false;
        if (attempt + 1 === interruptedAt) interrupt.abort();
        dispatcher.onAnswer(self, attempt, ACCEPTED);
        dispatcher.onRoom(self);
      });
    });
    await dispatcher.connect(() => [lane], 0);
    dispatcher.onRoom(lane);
    await dispatcher.run(interrupt.signal);
    assert.equal(log.size, interruptedAt ?? 200);
    assert.equal(log.open, 0);
  }
});
