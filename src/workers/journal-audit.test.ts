// Each invariant that the audit checks, kept and broken.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from '../core/rows.js';
import { type AuditBounds, JournalAuditor } from './journal-audit.js';
import { KeyFingerprints } from './journal-audit-keys.js';
import { outcomeRow, roundRow, verdictRow } from './journal-fixture.js';

function audit(rows: readonly Row[], bounds?: AuditBounds): JournalAuditor {
  const auditor = new JournalAuditor(bounds);
  rows.forEach((row, i) => {
    auditor.add({ ...row, sequence: i + 1 });
  });
  return auditor;
}

function broken(rows: readonly Row[]): string[] {
  return audit(rows).problems.map(({ invariant, sequence }) => `${invariant} at ${sequence}`);
}

const DECLINED = { state: 'declined', reason: 'insufficient-funds' } as const;
const LIVE = { key: 'second', verdict: 'already-invested' } as const;

test('a round in order has no problem, and its totals are what its rows say', () => {
  const auditor = audit([
    roundRow('created', { cap: 2000, state: 'scheduled' }),
    roundRow('opened', { cap: 2000 }),
    verdictRow('a', { amount: 1000 }),
    verdictRow('b', { amount: 900 }),
    verdictRow('c', { verdict: 'round-full', extra: 100 }),
    verdictRow('a', { ...LIVE, extra: 3 }),
    outcomeRow('b', 4, { amount: 900, ...DECLINED }),
    verdictRow('b', { key: 'again', amount: 700 }),
    outcomeRow('a', 3, { amount: 1000 }),
    roundRow('amended', { cap: 3000 }),
    verdictRow('d', { amount: 1300 }),
    verdictRow('e', { verdict: 'not-eligible' }),
  ]);
  assert.deepEqual(auditor.problems, []);
  assert.deepEqual(auditor.totals(), [
    {
      number: 1,
      id: 'crowd',
      cap: 3000,
      admitted: 3000,
      investors: 3,
      settled: 1000,
      settledCount: 1,
      declined: 900,
      declinedCount: 1,
      verdicts: {
        accepted: 4,
        'not-eligible': 1,
        'already-invested': 1,
        'insufficient-balance': 0,
        'round-full': 1,
      },
    },
  ]);
});

test('I1: over the cap at any prefix, even if a release follows', () => {
  const cap = { cap: 1000 };
  const rows = [roundRow('created', cap), verdictRow('a', { amount: 600 }), verdictRow('b', { amount: 401 })];
  assert.deepEqual(broken(rows), ['I1 at 3']);
  assert.deepEqual(broken([...rows, outcomeRow('a', 2, { amount: 600, ...DECLINED })]), ['I1 at 3']);
  const raised = roundRow('amended', { cap: 1001 });
  assert.deepEqual(broken([rows[0]!, rows[1]!, raised, rows[2]!]), []);
});

test('I3: a key with two verdicts, in the same round and of the same investor only', () => {
  const rejected = { verdict: 'not-eligible', key: 'k' } as const;
  const two = roundRow('created', { number: 2, id: 'two' });
  const rows = [roundRow(), two, verdictRow('a', rejected), verdictRow('b', rejected)];
  assert.deepEqual(broken([...rows, verdictRow('a', { ...rejected, round: 2 })]), []);
  assert.deepEqual(broken([...rows, verdictRow('a', rejected)]), ['I3 at 5']);
});

test('I4: a second live investment, and one called live that is not', () => {
  const second = verdictRow('a', { key: 'second' });
  assert.deepEqual(broken([roundRow(), verdictRow('a'), second]), ['I4 at 3']);
  assert.deepEqual(broken([roundRow(), verdictRow('a'), outcomeRow('a', 2), second]), ['I4 at 4']);
  assert.deepEqual(broken([roundRow(), verdictRow('a'), outcomeRow('a', 2, DECLINED), second]), []);
  assert.deepEqual(broken([roundRow(), verdictRow('a', { ...LIVE, extra: 1 })]), ['I4 at 2']);
  assert.deepEqual(broken([roundRow(), verdictRow('a'), verdictRow('a', { ...LIVE, extra: 2 })]), []);
});

test('I5: an outcome of nothing, of another amount, and a second one', () => {
  const rows = [roundRow(), verdictRow('a')];
  assert.deepEqual(broken([...rows, outcomeRow('b', 2)]), ['I5 at 3']);
  assert.deepEqual(broken([...rows, outcomeRow('a', 1)]), ['I5 at 3']);
  assert.deepEqual(broken([...rows, outcomeRow('a', 2, { amount: 499 })]), ['I5 at 3']);
  assert.deepEqual(broken([...rows, outcomeRow('a', 2), outcomeRow('a', 2)]), ['I5 at 4']);
  assert.deepEqual(broken([...rows, outcomeRow('a', 2, DECLINED), outcomeRow('a', 2, DECLINED)]), [
    'I5 at 4',
  ]);
});

test('rounds are created once, keep their id and never lower their cap', () => {
  assert.deepEqual(broken([verdictRow('a')]), ['round at 1']);
  assert.deepEqual(broken([roundRow('opened')]), ['round at 1']);
  assert.deepEqual(broken([roundRow(), roundRow()]), ['round at 2']);
  assert.deepEqual(broken([roundRow(), roundRow('amended', { id: 'other' })]), ['round at 2']);
  assert.deepEqual(broken([roundRow(), roundRow('amended', { cap: 999_999 })]), ['round at 2']);
});

test('beyond its bounds it counts what it could not check, and invents no problem', () => {
  const bounds = { liveMax: 1, keysMax: 2 };
  const rows = [roundRow(), verdictRow('a'), verdictRow('b'), outcomeRow('b', 3), verdictRow('c')];
  const auditor = audit(rows, bounds);
  assert.deepEqual(auditor.problems, []);
  assert.deepEqual(auditor.unchecked, { live: 2, keys: 1 });
  assert.equal(auditor.totals()[0]?.settled, 500);
});

test('problems are counted beyond those that are spelled out', () => {
  const rows = [
    roundRow(),
    ...Array.from({ length: 150 }, () => verdictRow('a', { verdict: 'not-eligible' })),
  ];
  const auditor = audit(rows);
  assert.equal(auditor.problemCount, 149);
  assert.equal(auditor.problems.length, 100);
});

test('fingerprints tell like keys apart, and every repetition', () => {
  const keys = new KeyFingerprints(1_000_000);
  const each = (check: (added: boolean, what: string) => void) => {
    for (let round = 1; round <= 2; round++) {
      for (let i = 0; i < 500; i++) {
        for (let k = 0; k < 200; k++) check(keys.add(round, `inv-${i}`, `k${k}`), `${round} inv-${i} k${k}`);
      }
    }
  };
  each((added, what) => assert.ok(added, what));
  each((added, what) => assert.ok(!added, what));
  assert.ok(keys.add(1, 'inv-1k', '1'), 'where the id ends counts');
});
