// The keeper of a lease, on a clock of the test: a deadline counts from the sending, failures are bridged, silence is not.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { LEASE_WORD_BYTES, LeaseWord } from '../../core/lease-word.js';
import { err, ok, type Result } from '../../core/result.js';
import type { LeaseState } from './etcd-client.js';
import { LeaseKeeper } from './lease-keeper.js';

type Answer = Result<LeaseState, { readonly message: string }>;
const ALIVE: Answer = ok('alive');
const FAILED: Answer = err({ message: 'no answer' });
/** Then two thirds are 6 s, a keepalive goes out each 1.8 s and has 1.5 s for its answer. */
const TTL_MS = 9_000;

interface Bench {
  readonly word: LeaseWord;
  readonly keeper: LeaseKeeper;
  readonly lost: string[];
  readonly sentAtMs: number[];
  /** What the next keepalives are answered, and after how long. */
  answer: Answer;
  takesMs: number;
  nowMs(): number;
  /** Lets so much time pass, a little at a time. */
  pass(ms: number): Promise<void>;
  /** All at once, as for a process that stood still: only then do timers and answers have their turn. */
  sleep(ms: number): Promise<void>;
  left(): number;
}

function bench(t: TestContext): Bench {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 1_000;
  const clockNs = (): bigint => BigInt(nowMs) * 1_000_000n;
  const word = new LeaseWord(new SharedArrayBuffer(LEASE_WORD_BYTES));
  const lost: string[] = [];
  const sentAtMs: number[] = [];
  const turn = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const it: Bench = {
    word,
    lost,
    sentAtMs,
    answer: ALIVE,
    takesMs: 0,
    nowMs: () => nowMs,
    pass: async (ms) => {
      for (let passed = 0; passed < ms; passed += 50) {
        nowMs += 50;
        await turn(50);
      }
    },
    sleep: async (ms) => {
      nowMs += ms;
      await turn(ms);
    },
    left: () => Number(word.leftNs(clockNs()) ?? -1n) / 1e6,
    keeper: new LeaseKeeper({
      word,
      ttlMs: TTL_MS,
      renew: (timeoutMs) => {
        sentAtMs.push(nowMs);
        assert.equal(timeoutMs, 1_500);
        const { answer, takesMs } = it;
        if (takesMs === 0) return Promise.resolve(answer);
        return new Promise((resolve) => setTimeout(() => resolve(answer), takesMs)); // a mocked clock
      },
      onLost: (reason) => lost.push(reason),
      clockNs,
      random: () => 0.5,
      logger: pino({ level: 'silent' }),
    }),
  };
  return it;
}

describe('the keeper of a lease', () => {
  test('a keepalive that is confirmed holds for two thirds of the lease, from its sending', async (t) => {
    const it = bench(t);
    assert.equal(it.keeper.start(1_000_000_000n), true);
    assert.equal(it.left(), 6_000);
    it.takesMs = 1_000;
    await it.pass(1_800 + 1_000);
    assert.deepEqual(it.sentAtMs, [2_800]);
    assert.equal(it.left(), 5_000, 'a second has gone by on its way');
    assert.equal(it.keeper.renewals.confirmed, 1);
  });

  test('some that fail are bridged by one that does not', async (t) => {
    const it = bench(t);
    it.keeper.start(1_000_000_000n);
    it.answer = FAILED;
    it.takesMs = 1_500;
    await it.pass(1_800 + 3_000);
    assert.ok(it.keeper.renewals.failed >= 1);
    it.answer = ALIVE;
    it.takesMs = 0;
    await it.pass(1_000);
    assert.ok(it.left() > 5_000);
    assert.deepEqual(it.lost, []);
  });

  test('silence ends it after two thirds, for good, and it is told once', async (t) => {
    const it = bench(t);
    it.keeper.start(1_000_000_000n);
    it.answer = FAILED;
    it.takesMs = 500;
    await it.pass(5_950);
    assert.deepEqual(it.lost, []);
    assert.equal(it.word.expired(BigInt(it.nowMs()) * 1_000_000n), false);
    await it.pass(100);
    assert.deepEqual(it.lost, ['no keepalive was confirmed within 6000 ms of its sending']);
    it.answer = ALIVE;
    await it.pass(20_000);
    assert.equal(it.lost.length, 1);
    assert.equal(it.left(), 0);
  });

  test('an answer from before a long sleep proves nothing about now', async (t) => {
    const it = bench(t);
    it.keeper.start(1_000_000_000n);
    it.takesMs = 500;
    await it.pass(1_900);
    assert.equal(it.sentAtMs.length, 1, 'it is on its way');
    await it.sleep(60_000);
    assert.equal(it.lost.length, 1);
    assert.equal(it.left(), 0);
    assert.equal(it.keeper.renewals.confirmed, 0);
  });

  test('an answer that comes late is counted from when it was asked for', async (t) => {
    const it = bench(t);
    it.keeper.start(1_000_000_000n);
    it.takesMs = 3_000; // later than its time, as after a short sleep
    await it.pass(1_800 + 3_000);
    assert.equal(it.left(), 3_000);
    assert.deepEqual(it.lost, []);
  });

  test('a lease that is gone ends it at once', async (t) => {
    const it = bench(t);
    it.keeper.start(1_000_000_000n);
    it.answer = ok('gone');
    await it.pass(1_800);
    assert.deepEqual(it.lost, ['etcd has ended the lease']);
    assert.equal(it.left(), 0);
  });

  test('a lease that took too long to come is not begun', async (t) => {
    const it = bench(t);
    await it.sleep(7_000);
    assert.equal(it.keeper.start(1_000_000_000n), false);
    await it.pass(10_000);
    assert.deepEqual(it.sentAtMs, []);
    assert.deepEqual(it.lost, []);
  });

  test('stopped, it sends nothing and loses nothing', async (t) => {
    const it = bench(t);
    it.keeper.start(1_000_000_000n);
    it.keeper.stop();
    await it.pass(10_000);
    assert.deepEqual(it.sentAtMs, []);
    assert.deepEqual(it.lost, []);
  });
});
