// Round timers: exact, bounded in length, and not fooled by a wall clock that is set.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROUND_TIMER_HOP_MS } from '../core/limits.js';
import type { RoundDefinition } from '../core/round.js';
import { FakeRoundClock } from './fake-round-clock.js';
import { dueAction, RoundTimers } from './round-timers.js';

const startMs = 1_800_000_000_000;
const round = (changes: Partial<RoundDefinition>): RoundDefinition => ({
  number: 1,
  id: 'crowd',
  name: 'Crowd',
  currency: 'GBP',
  cap: 100,
  minimum: 1,
  maximum: 10,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'refuse',
  state: 'scheduled',
  ...changes,
});

function timers() {
  const clock = new FakeRoundClock(startMs);
  const firedAtMs: number[] = [];
  return { clock, firedAtMs, timers: new RoundTimers(clock, () => firedAtMs.push(clock.nowMs() - startMs)) };
}

test('what is due depends on state and times', () => {
  const at = { opensAt: startMs + 10, closesAt: startMs + 20 };
  assert.equal(dueAction(round(at), startMs + 9), null);
  assert.equal(dueAction(round(at), startMs + 10), 'open');
  assert.equal(dueAction(round(at), startMs + 20), 'close');
  assert.equal(dueAction(round({ ...at, state: 'open' }), startMs + 10), null);
  assert.equal(dueAction(round({ ...at, state: 'paused' }), startMs + 10), null);
  assert.equal(dueAction(round({ ...at, state: 'paused' }), startMs + 20), 'close');
  assert.equal(dueAction(round({ ...at, state: 'closed' }), startMs + 20), null);
  assert.equal(dueAction(round({}), startMs), null);
});

test('a time further away than setTimeout can wait is waited for in hops', async () => {
  const { clock, firedAtMs, timers: t } = timers();
  const far = 2 ** 31 + 5_000;
  t.arm(round({ opensAt: startMs + far }));
  clock.stepWall(far - 2_500);
  await clock.advanceTo(startMs + far - 1);
  assert.deepEqual(firedAtMs, []);
  await clock.advanceTo(startMs + far);
  assert.deepEqual(firedAtMs, [far]);
  assert.ok(clock.longestDelayMs <= ROUND_TIMER_HOP_MS);
});

test('a wall clock set forward past the time fires within a hop; set back, the time is waited for again', async () => {
  const forward = timers();
  forward.timers.arm(round({ opensAt: startMs + 3_600_000 }));
  forward.clock.stepWall(3_600_000);
  await forward.clock.advanceTo(startMs + 3_600_000 + ROUND_TIMER_HOP_MS);
  assert.equal(forward.firedAtMs.length, 1);

  const back = timers();
  back.timers.arm(round({ opensAt: startMs + 900 }));
  back.clock.stepWall(-5_000);
  await back.clock.advanceTo(startMs + 899);
  assert.deepEqual(back.firedAtMs, []);
  await back.clock.advanceTo(startMs + 900);
  assert.deepEqual(back.firedAtMs, [900]);
});

test('arming again replaces, disarming and stopping cancel', async () => {
  const { clock, firedAtMs, timers: t } = timers();
  t.arm(round({ opensAt: startMs + 100 }));
  t.arm(round({ opensAt: startMs + 200 }));
  assert.equal(clock.armed, 1);
  await clock.advanceTo(startMs + 200);
  assert.deepEqual(firedAtMs, [200]);
  t.arm(round({ closesAt: startMs + 300, state: 'open' }));
  t.disarm('crowd');
  t.arm(round({ id: 'other', closesAt: startMs + 300, state: 'open' }));
  t.stop();
  assert.equal(clock.armed, 0);
  t.arm(round({ state: 'closed', closesAt: startMs + 300 }));
  assert.equal(clock.armed, 0);
});
