// The lease word: owner until the deadline and not one nanosecond longer, and never again after that; also for a thread
// that only reads it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { LEASE_WORD_BYTES, LeaseWord } from './lease-word.js';

const fresh = (): LeaseWord => new LeaseWord(new SharedArrayBuffer(LEASE_WORD_BYTES));

describe('the lease word', () => {
  test('nothing is owned before the first keepalive', () => {
    const word = fresh();
    assert.equal(word.expired(0n), true);
    assert.equal(word.expired(1n), true);
    assert.equal(word.leftNs(1n), 0n);
  });

  test('owner up to the deadline, and not at it', () => {
    const word = fresh();
    assert.equal(word.raise(1_000n, 10n), true);
    assert.equal(word.expired(999n), false);
    assert.equal(word.leftNs(999n), 1n);
    assert.equal(word.expired(1_000n), true);
    assert.equal(word.leftNs(1_000n), 0n);
  });

  test('a confirmation that was sent earlier and comes later does not lower it', () => {
    const word = fresh();
    word.raise(1_000n, 10n);
    assert.equal(word.raise(900n, 20n), true);
    assert.equal(word.expired(950n), false);
  });

  test('past the deadline no confirmation brings it back', () => {
    const word = fresh();
    word.raise(1_000n, 10n);
    assert.equal(word.raise(5_000n, 1_000n), false);
    assert.equal(word.expired(1_001n), true);
    assert.equal(word.expired(0n), true, 'for good: also for a thread that read its clock earlier');
    assert.equal(word.raise(9_000n, 1_002n), false);
    word.hold();
    assert.equal(word.expired(1_003n), true);
  });

  test('a first confirmation that comes when its own time is past owns nothing', () => {
    const word = fresh();
    assert.equal(word.raise(1_000n, 1_000n), false);
    assert.equal(word.raise(2_000n, 1_001n), false);
    assert.equal(word.expired(1_001n), true);
  });

  test('ended at once, and held for the life of the process', () => {
    const word = fresh();
    word.raise(1_000n, 10n);
    word.end();
    assert.equal(word.expired(11n), true);
    assert.equal(word.raise(2_000n, 12n), false);
    const held = fresh();
    held.hold();
    assert.equal(held.expired(2n ** 62n), false);
    assert.equal(held.leftNs(5n), null);
    held.end();
    assert.equal(held.expired(5n), true);
  });

  test('another thread reads the same deadline by the same clock', async () => {
    const memory = new SharedArrayBuffer(LEASE_WORD_BYTES);
    const word = new LeaseWord(memory);
    const nowNs = process.hrtime.bigint();
    word.raise(nowNs + 3_600_000_000_000n, nowNs);
    const asked = async (): Promise<unknown> => {
      const worker = new Worker(
        `const { parentPort, workerData } = require('node:worker_threads');
         import(workerData.module).then(({ LeaseWord }) =>
           parentPort.postMessage(new LeaseWord(workerData.memory).expired(process.hrtime.bigint())));`,
        { eval: true, workerData: { memory, module: new URL('./lease-word.js', import.meta.url).href } },
      );
      const answer = await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      await worker.terminate();
      return answer;
    };
    assert.equal(await asked(), false);
    word.end();
    assert.equal(await asked(), true);
  });
});
