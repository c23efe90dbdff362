// The decision against the contract's table: each rule, and of every pair of rules that fail the upper one answers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Applicant, type Decision, decide, type Proposal, type RoundAtDecision } from './decide.js';
import { packCurrency } from './money.js';

const NOW_MS = 1_000_000;
const GBP = packCurrency('GBP');
const ROOM = 10_000;

interface Case {
  round: RoundAtDecision | null;
  proposal: Proposal;
  applicant: Applicant;
  room: number;
}

function good(): Case & { round: RoundAtDecision } {
  const definition = {
    number: 3,
    id: 'crowd',
    name: 'Crowd',
    currency: 'GBP',
    cap: 100_000,
    minimum: 1_000,
    maximum: 5_000,
    opensAt: null,
    closesAt: null,
    unknownBalance: 'refuse' as const,
    state: 'open' as const,
  };
  return {
    round: { definition, currency: GBP, state: 'open' },
    proposal: { amount: 2_000, currency: GBP },
    applicant: { earlier: null, liveSequence: 0, known: true, eligible: true, available: 5_000 },
    room: ROOM,
  };
}

/** Decides; reserves only what fits, and tells what was reserved. */
function run(one: Case, nowMs = NOW_MS): { decision: Decision; reserved: number } {
  let reserved = 0;
  const rooms = {
    reserve: (round: number, amount: number): number => {
      assert.equal(round, 3);
      if (one.room < amount) return one.room;
      reserved += amount;
      return -1;
    },
  };
  return { decision: decide(one.round, one.proposal, one.applicant, rooms, nowMs), reserved };
}

const change = (one: Case, what: Partial<RoundAtDecision['definition']>): RoundAtDecision => {
  assert.ok(one.round !== null);
  return { ...one.round, definition: { ...one.round.definition, ...what } };
};

/** The table from the top: how each rule is made to fail, on top of a case in which others may fail too. */
const RULES: readonly {
  readonly code: Decision['code'];
  readonly extra?: number;
  readonly fail: (one: Case) => Partial<Case>;
}[] = [
  {
    code: 'idempotency-key-reused',
    fail: (one) => ({ applicant: { ...one.applicant, earlier: { verdict: 'accepted', amount: 7 } } }),
  },
  {
    code: 'currency-mismatch',
    fail: (one) => ({ proposal: { ...one.proposal, currency: packCurrency('EUR') } }),
  },
  // The amount stays: its bounds move, so that both can fail at once.
  { code: 'amount-below-minimum', fail: (one) => ({ round: change(one, { minimum: 2_001 }) }) },
  { code: 'amount-above-maximum', fail: (one) => ({ round: change(one, { maximum: 1_999 }) }) },
  { code: 'round-closed', fail: (one) => ({ round: change(one, { closesAt: NOW_MS }) }) },
  { code: 'round-paused', fail: (one) => ({ round: { ...one.round!, state: 'paused' } }) },
  { code: 'not-eligible', fail: (one) => ({ applicant: { ...one.applicant, eligible: false } }) },
  {
    code: 'already-invested',
    extra: 77,
    fail: (one) => ({ applicant: { ...one.applicant, liveSequence: 77 } }),
  },
  {
    code: 'insufficient-balance',
    fail: (one) => ({ applicant: { ...one.applicant, available: 1_999 } }),
  },
  { code: 'round-full', extra: 1_999, fail: () => ({ room: 1_999 }) },
];

describe('decide', () => {
  test('nothing fails: accepted, with the room reserved', () => {
    assert.deepEqual(run(good()), { decision: { code: 'accepted', extra: 0 }, reserved: 2_000 });
  });

  for (const { code, extra = 0, fail } of RULES) {
    test(`${code} alone`, () => {
      const one = good();
      Object.assign(one, fail(one));
      assert.deepEqual(run(one), { decision: { code, extra }, reserved: 0 });
    });
  }

  for (const [at, upper] of RULES.entries()) {
    for (const lower of RULES.slice(at + 1)) {
      test(`${upper.code} before ${lower.code}`, () => {
        const one = good();
        Object.assign(one, lower.fail(one));
        Object.assign(one, upper.fail(one));
        assert.deepEqual(run(one), { decision: { code: upper.code, extra: upper.extra ?? 0 }, reserved: 0 });
      });
    }
  }

  test('no round comes before everything', () => {
    for (const { fail } of RULES) {
      const one: Case = good();
      Object.assign(one, fail(one));
      one.round = null;
      assert.equal(run(one).decision.code, 'round-not-found');
    }
  });

  test('a replay comes before everything but the round, and reserves nothing', () => {
    for (const { code, fail } of RULES) {
      if (code === 'idempotency-key-reused' || code === 'currency-mismatch') continue;
      const one = good();
      Object.assign(one, fail(one));
      one.applicant = { ...one.applicant, earlier: { verdict: 'round-full', amount: 2_000 } };
      assert.deepEqual(run(one), { decision: { code: 'replay', extra: 0 }, reserved: 0 });
    }
    const other = good();
    other.applicant = { ...other.applicant, earlier: { verdict: 'accepted', amount: 2_000 } };
    other.proposal = { amount: 2_000, currency: packCurrency('EUR') };
    assert.equal(run(other).decision.code, 'idempotency-key-reused');
  });

  test('the states of a round', () => {
    const states = {
      scheduled: 'round-not-open',
      open: 'accepted',
      paused: 'round-paused',
      closed: 'round-closed',
    } as const;
    for (const [state, code] of Object.entries(states)) {
      const one = good();
      one.round = { ...good().round, state: state as keyof typeof states };
      assert.equal(run(one).decision.code, code);
    }
    const one = good();
    one.round = change(one, { closesAt: NOW_MS });
    assert.equal(run(one, NOW_MS - 1).decision.code, 'accepted', 'open until the instant of its closing');
    assert.equal(run(one, NOW_MS).decision.code, 'round-closed');
  });

  test('bounds, balance and room include their ends', () => {
    for (const amount of [1_000, 5_000]) {
      const one = good();
      one.proposal = { amount, currency: GBP };
      one.room = amount;
      assert.equal(run(one).decision.code, 'accepted');
    }
  });

  test('nobody knows the investor: the round says', () => {
    const unknown = { earlier: null, liveSequence: 0, known: false, eligible: false, available: 0 };
    const one = { ...good(), applicant: unknown };
    assert.equal(run(one).decision.code, 'insufficient-balance');
    one.round = change(one, { unknownBalance: 'allow' });
    assert.equal(run(one).decision.code, 'accepted');
    assert.equal(run({ ...one, applicant: { ...unknown, known: true } }).decision.code, 'not-eligible');
    const poor = { ...unknown, known: true, eligible: true };
    assert.equal(
      run({ ...one, applicant: poor }).decision.code,
      'insufficient-balance',
      'known and poor is not unknown',
    );
  });
});
