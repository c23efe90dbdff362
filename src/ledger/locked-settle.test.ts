// Settling under locks: taken before, let go of after, and nothing without them or without the books.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { err, ok, type Result } from '../core/result.js';
import {
  type HeldLocks,
  type InvestorLocks,
  LocalInvestorLocks,
  type LockFailure,
} from '../engines/locks.js';
import { investment } from './books-bench.js';
import { lockedSettle } from './locked-settle.js';
import type { Settlement, StoreFailure } from './store.js';

interface Bench {
  readonly events: string[];
  owns: boolean;
  failure: LockFailure | null;
  /** Called while the locks are on their way. */
  onLock: () => void;
  settled: Result<readonly Settlement[], StoreFailure>;
  settle(...investors: string[]): Promise<Result<readonly Settlement[], StoreFailure>>;
}

function bench(): Bench {
  const events: string[] = [];
  const inner = new LocalInvestorLocks();
  const locks: InvestorLocks = {
    acquire: async (investors): Promise<Result<HeldLocks, LockFailure>> => {
      it.onLock();
      if (it.failure !== null) return err(it.failure);
      events.push(`lock ${investors.join(' ')}`);
      const held = await inner.acquire(investors);
      assert.ok(held.ok);
      return ok({
        release: async () => {
          events.push('release');
          await held.value.release();
        },
      });
    },
  };
  const store = {
    settle: async () => {
      events.push('settle');
      return it.settled;
    },
  };
  const locked = lockedSettle({ store, locks, owns: () => it.owns });
  const it: Bench = {
    events,
    owns: true,
    failure: null,
    onLock: () => undefined,
    settled: ok([]),
    settle: (...investors) => locked.settle(investors.map((investor) => investment(investor, { investor }))),
  };
  return it;
}

describe('settling under locks', () => {
  test('locked before, let go of after, also when the store fails', async () => {
    const it = bench();
    assert.ok((await it.settle('alice', 'bob')).ok);
    it.settled = err({ message: 'disk', isFatal: true, isFenced: false });
    assert.deepEqual(await it.settle('alice'), it.settled);
    assert.deepEqual(it.events, ['lock alice bob', 'settle', 'release', 'lock alice', 'settle', 'release']);
  });

  test('locks that cannot be had: nothing is settled, and it is tried again', async () => {
    const it = bench();
    for (const failure of [
      { code: 'held', investors: ['alice'] },
      { code: 'unreachable', message: 'away' },
    ] as const) {
      it.failure = failure;
      const settled = await it.settle('alice');
      assert.ok(!settled.ok && !settled.error.isFatal && !settled.error.isFenced);
    }
    assert.deepEqual(it.events, []);
  });

  test('the books are lost: fenced, before the locks, by the locks, and while they were on their way', async () => {
    const it = bench();
    it.failure = { code: 'lost', message: 'another owns the books' };
    const byLocks = await it.settle('alice');
    assert.ok(!byLocks.ok && byLocks.error.isFenced && byLocks.error.isFatal);
    it.failure = null;
    it.onLock = () => {
      it.owns = false;
    };
    const meanwhile = await it.settle('alice');
    assert.ok(!meanwhile.ok && meanwhile.error.isFenced);
    assert.deepEqual(it.events, ['lock alice', 'release'], 'let go of, and nothing settled');
    const before = await it.settle('alice');
    assert.ok(!before.ok && before.error.isFenced);
    assert.equal(it.events.length, 2);
  });
});
