// The pace of the ledger, on a clock that the test moves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LEDGER_BURST_MS } from '../core/limits.js';
import { TokenBucket } from './token-bucket.js';

test('without a rate everything is granted', () => {
  const bucket = new TokenBucket(0, () => 0);
  assert.equal(bucket.take(1_000_000), 1_000_000);
  assert.equal(bucket.waitMs(), 0);
});

test('a rate of 60 grants one token every 1000/60 ms, however often it is asked', () => {
  let nowMs = 0;
  const bucket = new TokenBucket(60, () => nowMs);
  let granted = bucket.take(100);
  assert.equal(granted, 6);
  for (nowMs = 1; nowMs <= 10_000; nowMs++) granted += bucket.take(100);
  assert.ok(granted === 605 || granted === 606, String(granted));
});

test('the wait is long enough for exactly one token', () => {
  let nowMs = 0;
  const bucket = new TokenBucket(0.5, () => nowMs);
  assert.equal(bucket.take(5), 1);
  assert.equal(bucket.waitMs(), 2_000);
  nowMs = 1_999;
  assert.equal(bucket.take(5), 0);
  nowMs = 2_000;
  assert.equal(bucket.take(5), 1);
});

test('what is given back can be taken again, and never makes a burst', () => {
  const bucket = new TokenBucket(60, () => 0);
  assert.equal(bucket.take(6), 6);
  bucket.giveBack(2);
  assert.equal(bucket.take(6), 2);
  bucket.giveBack(1_000);
  assert.equal(bucket.take(1_000), 6);
});

test('over any span the bucket grants at most the rate and one bucket', () => {
  const step = fc.record({ waitMs: fc.nat(500), wanted: fc.nat(300) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.array(step, { maxLength: 50 }), (rate, steps) => {
      let nowMs = 0;
      let granted = 0;
      const bucket = new TokenBucket(rate, () => nowMs);
      for (const { waitMs, wanted } of steps) {
        nowMs += waitMs;
        granted += bucket.take(wanted);
        const capacity = Math.max(1, (rate * LEDGER_BURST_MS) / 1000);
        assert.ok(granted <= capacity + (rate * nowMs) / 1000 + 1e-6);
      }
    }),
  );
});
