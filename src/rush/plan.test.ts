// Attempts and their times: repeatable, within bounds, and spread over the investors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dueMs } from './curve.js';
import { Plan, type PlanSettings } from './plan.js';

const SETTINGS: PlanSettings = {
  seed: 42,
  investors: 1_000,
  amountMin: 1_000,
  amountMax: 200_000,
  duplicatesPercent: 0,
  poorPercent: 0,
};

function planned(settings: PlanSettings, attempts: number): Plan {
  const plan = new Plan(settings);
  for (let i = 0; i < attempts; i++) assert.equal(plan.next(), i);
  return plan;
}

test('the same seed plans the same attempts, another seed others', () => {
  const describe = (seed: number): string[] => {
    const plan = planned({ ...SETTINGS, seed, duplicatesPercent: 20 }, 500);
    return Array.from({ length: 500 }, (_, i) => `${plan.investor(i)} ${plan.amount(i)} ${plan.key(i)}`);
  };
  assert.deepEqual(describe(1), describe(1));
  assert.notDeepEqual(describe(1), describe(2));
});

test('every investor comes once before any comes again', () => {
  for (const investors of [1, 2, 7, 1_000, 1_024]) {
    const plan = planned({ ...SETTINGS, investors }, investors * 2);
    const first = new Set(Array.from({ length: investors }, (_, i) => plan.investor(i)));
    assert.equal(first.size, investors);
    assert.ok([...first].every((investor) => investor < investors));
  }
});

test('amounts stay within their bounds and keys are unique', () => {
  for (const [amountMin, amountMax] of [
    [1_000, 200_000],
    [1, 1],
    [999, 1_001],
    [12_345, 23_456],
  ] as const) {
    const plan = planned({ ...SETTINGS, amountMin, amountMax }, 2_000);
    const keys = new Set<string>();
    for (let i = 0; i < 2_000; i++) {
      assert.ok(
        Number.isSafeInteger(plan.amount(i)) && plan.amount(i) >= amountMin && plan.amount(i) <= amountMax,
      );
      assert.match(plan.key(i), /^[A-Za-z0-9_-]{1,64}$/);
      keys.add(plan.key(i));
    }
    assert.equal(keys.size, 2_000);
  }
});

test('a duplicate has the investor, the key and the amount of its origin', () => {
  const plan = planned({ ...SETTINGS, duplicatesPercent: 30 }, 70_000);
  let duplicates = 0;
  for (let i = 0; i < plan.count; i++) {
    const origin = plan.origin(i);
    if (origin === i) continue;
    duplicates++;
    assert.ok(origin < i && plan.origin(origin) === origin);
    assert.deepEqual(
      [plan.investor(i), plan.amount(i), plan.key(i)],
      [plan.investor(origin), plan.amount(origin), plan.key(origin)],
    );
  }
  assert.ok(duplicates > 20_000 && duplicates < 22_000, `${duplicates}`);
});

test('about as many investors are poor as was asked for', () => {
  const plan = new Plan({ ...SETTINGS, poorPercent: 25 });
  const poor = Array.from({ length: 10_000 }, (_, i) => plan.isPoor(i)).filter(Boolean).length;
  assert.ok(poor > 2_300 && poor < 2_700, `${poor}`);
});

test('both curves begin at once, never go back and end within the duration', () => {
  for (const curve of ['flat', 'bell'] as const) {
    let last = 0;
    assert.equal(dueMs(curve, 0, 1_000, 60_000), 0);
    for (let i = 0; i < 1_000; i++) {
      const due = dueMs(curve, i, 1_000, 60_000);
      assert.ok(due >= last && due < 60_000);
      last = due;
    }
  }
});

test('the bell begins at three times the mean rate', () => {
  const inTheFirstSecond = Array.from({ length: 60_000 }, (_, i) => dueMs('bell', i, 60_000, 60_000)).filter(
    (due) => due < 1_000,
  ).length;
  assert.ok(inTheFirstSecond > 2_850 && inTheFirstSecond < 3_050, `${inTheFirstSecond}`);
});
