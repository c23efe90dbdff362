// The rate limit: burst, sustained rate, isolation, and that forgetting an investor changes nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvestorName } from './investor.js';
import { RateLimiter } from './rate-limit.js';

function hashOf(investor: string): number {
  const name = new InvestorName();
  assert.ok(name.takeText(investor));
  return name.hash53;
}

const [ann, ben] = [hashOf('ann'), hashOf('ben')];

test('the burst passes at once, then one each interval; the wait it names is exact', () => {
  const limiter = new RateLimiter(10, 3);
  for (let i = 0; i < 3; i++) assert.equal(limiter.take(ann, 1_000), 0);
  assert.equal(limiter.take(ann, 1_000), 100);
  assert.equal(limiter.take(ann, 1_040), 60);
  assert.equal(limiter.take(ann, 1_099), 1);
  assert.equal(limiter.take(ann, 1_100), 0);
  assert.equal(limiter.take(ann, 1_100), 100);
  assert.equal(limiter.take(ben, 1_100), 0, 'nobody else is held up');
});

test('rate 0 limits nobody, burst 1 means one at a time', () => {
  const free = new RateLimiter(0, 1);
  for (let i = 0; i < 1_000; i++) assert.equal(free.take(ann, 0), 0);
  const strict = new RateLimiter(2, 1);
  assert.deepEqual([strict.take(ann, 0), strict.take(ann, 0), strict.take(ann, 500)], [0, 500, 0]);
});

test('in any window no more pass than rate and burst allow, and who waits as told passes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 10 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.constantFrom('ann', 'ben')), { maxLength: 200 }),
      (rate, burst, steps) => {
        const limiter = new RateLimiter(rate, burst);
        const passed = new Map<string, number[]>();
        let now = 0;
        for (const [ms, who] of steps) {
          now += ms;
          const mine = passed.get(who) ?? [];
          const waitMs = limiter.take(hashOf(who), now);
          if (waitMs > 0) {
            assert.ok(waitMs <= 1000 / rate + 1e-6, 'nobody waits longer than an interval');
            continue;
          }
          mine.push(now);
          passed.set(who, mine);
          for (const [i, from] of mine.entries()) {
            assert.ok(mine.length - i <= burst + ((now - from) * rate) / 1000 + 1e-6);
          }
        }
      },
    ),
  );
});
