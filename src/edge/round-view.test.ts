// The public view of a round: its members, when it is full, and how old it may be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoundDefinition } from '../core/round.js';
import { RoundViews } from './round-view.js';

const crowd: RoundDefinition = {
  number: 1,
  id: 'crowd',
  name: 'Crowd – 2026',
  currency: 'GBP',
  cap: 1_000,
  minimum: 100,
  maximum: 500,
  opensAt: null,
  closesAt: Date.parse('2026-11-23T12:00:00Z'),
  unknownBalance: 'refuse',
  state: 'open',
};

function fixture() {
  let list: readonly RoundDefinition[] = [crowd];
  const now = { monotonicMs: 1_000, admitted: 400 };
  const views = new RoundViews({
    rounds: { get: (id) => list.find((round) => round.id === id), list: () => list },
    counters: () => ({ admitted: now.admitted, investors: 2, settled: 150 }),
    sequence: () => 77,
    nowMs: () => Date.parse('2026-11-23T10:00:00.123Z'),
    monotonicMs: () => now.monotonicMs,
  });
  const replace = (changes: Partial<RoundDefinition>): void => {
    list = [{ ...crowd, ...changes }];
  };
  return { views, now, replace };
}

const parse = (bytes: Buffer | undefined) => JSON.parse(String(bytes));

test('exactly the members of the contract, in its order', () => {
  const { views } = fixture();
  const expected = {
    id: 'crowd',
    name: 'Crowd – 2026',
    currency: 'GBP',
    cap: 1_000,
    minimum: 100,
    maximum: 500,
    state: 'open',
    opensAt: null,
    closesAt: '2026-11-23T12:00:00.000Z',
    admitted: 400,
    remaining: 600,
    investors: 2,
    settled: 150,
    sequence: 77,
    serverTime: '2026-11-23T10:00:00.123Z',
  };
  assert.equal(String(views.bytes('crowd')), JSON.stringify(expected));
  assert.deepEqual(parse(views.listBytes()), { rounds: [expected] });
  assert.deepEqual(views.view('crowd'), expected);
  assert.equal(views.bytes('none'), undefined);
  assert.equal(views.view('none'), undefined);
});

test('full while not even the minimum fits, open again when it does; only an open round is full', () => {
  const { views, now, replace } = fixture();
  now.admitted = 901;
  assert.equal(views.view('crowd')?.state, 'full');
  now.admitted = 900;
  assert.equal(views.view('crowd')?.state, 'open');
  now.admitted = 1_000;
  for (const state of ['scheduled', 'paused', 'closed'] as const) {
    replace({ state });
    assert.equal(views.view('crowd')?.state, state);
  }
});

test('counters are at most 50 ms old', () => {
  const { views, now } = fixture();
  const first = views.bytes('crowd');
  views.listBytes();
  now.admitted = 500;
  now.monotonicMs += 49;
  assert.equal(views.bytes('crowd'), first);
  assert.equal(parse(views.listBytes()).rounds[0].admitted, 400);
  now.monotonicMs += 1;
  assert.equal(parse(views.bytes('crowd')).admitted, 500);
  assert.equal(parse(views.listBytes()).rounds[0].admitted, 500);
});

test('a changed definition is seen at once', () => {
  const { views, replace } = fixture();
  views.bytes('crowd');
  views.listBytes();
  replace({ state: 'paused' });
  assert.equal(parse(views.bytes('crowd')).state, 'paused');
  assert.equal(parse(views.listBytes()).rounds[0].state, 'paused');
});
