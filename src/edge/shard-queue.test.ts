// The queue in front of a shard: batching, order, bounds, misroutes, deadlines, failures. The shard is played here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BATCH_REQUESTS_MAX,
  REQUEST_DEADLINE_MS,
  SHARD_BATCHES_IN_FLIGHT_MAX,
  SHARD_QUEUE_REQUESTS_MAX,
} from '../core/limits.js';
import { AnswerWriter } from '../workers/answer-writer.js';
import { type BatchResult, type BatchTask, REQUEST } from '../workers/protocol.js';
import { RequestCursor } from '../workers/request-cursor.js';
import type { AnswerCursor } from './answer-cursor.js';
import { type AnswerTarget, ShardQueue } from './shard-queue.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

class Target implements AnswerTarget {
  readonly got: string[] = [];
  corks = 0;

  answer(cursor: AnswerCursor): void {
    this.got.push(cursor.bodyText());
  }

  fail({ code }: { code: string }): void {
    this.got.push(code);
  }

  cork(work: () => void): void {
    this.corks++;
    work();
  }
}

/** A shard that answers when it is told to: with the key of each request, or by giving those keyed `other` away. */
class FakeShard {
  readonly tasks: BatchTask[] = [];
  readonly misrouted: { shard: number; key: string; target: AnswerTarget }[] = [];
  readonly fatal: string[] = [];
  readonly queue: ShardQueue;
  nowMs = 0;
  #resolvers: { resolve: (result: BatchResult) => void; reject: (error: Error) => void }[] = [];

  constructor() {
    this.queue = new ShardQueue({
      run: (task) => {
        this.tasks.push(task);
        return new Promise((resolve, reject) => this.#resolvers.push({ resolve, reject }));
      },
      onMisrouted: (shard, record, target) => {
        const memory = Uint8Array.from(record).buffer;
        this.misrouted.push({ shard, key: keysOf(memory, record.length)[0]!, target });
      },
      onFatal: (reason) => this.fatal.push(reason),
      clock: () => this.nowMs,
    });
  }

  add(key: string, target: AnswerTarget = new Target()): boolean {
    return this.queue.add(REQUEST.invest, 0, 1, 'token', key, Buffer.from('{}'), target);
  }

  async answer(at: number): Promise<void> {
    const { requests, answers, length } = this.tasks[at]!;
    const writer = new AnswerWriter(answers);
    const keys = keysOf(requests, length);
    for (const key of keys) {
      if (key === 'other') writer.misrouted(2);
      else writer.http(200, '200 OK', key);
    }
    this.#resolvers[at]!.resolve({ requests, answers: writer.memory, count: keys.length, failed: false });
    await settled();
  }

  async failJournal(at: number): Promise<void> {
    const { requests, answers } = this.tasks[at]!;
    this.#resolvers[at]!.resolve({ requests, answers, count: 0, failed: true });
    await settled();
  }

  async die(at: number): Promise<void> {
    this.#resolvers[at]!.reject(new Error('gone'));
    await settled();
  }
}

function keysOf(memory: ArrayBuffer, length: number): string[] {
  const cursor = new RequestCursor();
  cursor.open(memory, length);
  const keys: string[] = [];
  while (cursor.next()) keys.push(cursor.key());
  return keys;
}

test('what arrives in one turn of the loop is one batch, in order', async () => {
  const shard = new FakeShard();
  const targets = ['a', 'b', 'c'].map((key) => {
    const target = new Target();
    assert.ok(shard.add(key, target));
    return target;
  });
  assert.deepEqual([shard.tasks.length, shard.queue.queued], [0, 3]);
  await settled();
  assert.deepEqual(
    shard.tasks.map(({ requests, length }) => keysOf(requests, length)),
    [['a', 'b', 'c']],
  );
  assert.deepEqual([shard.queue.queued, shard.queue.requestsInFlight], [0, 3]);
  await shard.answer(0);
  assert.deepEqual(
    targets.map(({ got }) => got),
    [['a'], ['b'], ['c']],
  );
  assert.equal(shard.queue.requestsInFlight, 0);
});

test('while its batches are at the shard the next one grows, and leaves when one is answered', async () => {
  const shard = new FakeShard();
  for (let i = 0; i < SHARD_BATCHES_IN_FLIGHT_MAX; i++) {
    shard.add(`first-${i}`);
    await settled();
  }
  for (let i = 0; i < 5; i++) {
    shard.add(`later-${i}`);
    await settled();
  }
  assert.equal(shard.tasks.length, SHARD_BATCHES_IN_FLIGHT_MAX);
  await shard.answer(0);
  assert.equal(shard.tasks.length, SHARD_BATCHES_IN_FLIGHT_MAX + 1);
  assert.equal(shard.tasks.at(-1)!.count, 5);
});

test('the queue is bounded: past it nothing is taken, and what was taken is answered once, in bounded batches', async () => {
  const shard = new FakeShard();
  const targets: Target[] = [];
  for (let i = 0; i < SHARD_QUEUE_REQUESTS_MAX; i++) {
    const target = new Target();
    targets.push(target);
    assert.ok(shard.add(`k${i}`, target));
  }
  const refused = new Target();
  assert.equal(shard.add('one more', refused), false);
  await settled();
  for (let at = 0; at < shard.tasks.length; at++) await shard.answer(at);
  assert.ok(shard.tasks.every(({ count }) => count <= BATCH_REQUESTS_MAX));
  assert.ok(targets.every(({ got }, i) => got.length === 1 && got[0] === `k${i}`));
  assert.deepEqual(refused.got, []);
  assert.ok(shard.add('again'));
});

test('a request of another shard is handed on as it was, and those around it are answered', async () => {
  const shard = new FakeShard();
  const [a, other, b] = [new Target(), new Target(), new Target()];
  shard.add('a', a);
  shard.add('other', other);
  shard.add('b', b);
  await settled();
  await shard.answer(0);
  assert.deepEqual([a.got, other.got, b.got], [['a'], [], ['b']]);
  assert.deepEqual(shard.misrouted, [{ shard: 2, key: 'other', target: other }]);
});

test('several answers in a row for one target are one write', async () => {
  const shard = new FakeShard();
  const [one, two] = [new Target(), new Target()];
  for (const [key, target] of [
    ['a', one],
    ['b', one],
    ['c', two],
    ['d', one],
    ['e', one],
    ['f', one],
  ] as const) {
    shard.add(key, target);
  }
  await settled();
  await shard.answer(0);
  assert.deepEqual([one.got, one.corks], [['a', 'b', 'd', 'e', 'f'], 2]);
  assert.deepEqual([two.got, two.corks], [['c'], 0]);
});

test('past its deadline a request is told so, once; its late verdict is nobody’s', async () => {
  const shard = new FakeShard();
  const target = new Target();
  shard.add('a', target);
  await settled();
  shard.nowMs = REQUEST_DEADLINE_MS - 1;
  shard.queue.expire();
  assert.deepEqual(target.got, []);
  shard.nowMs = REQUEST_DEADLINE_MS;
  shard.queue.expire();
  shard.queue.expire();
  assert.deepEqual(target.got, ['overloaded']);
  await shard.answer(0);
  assert.deepEqual(target.got, ['overloaded']);
  const next = new Target();
  shard.add('b', next);
  await settled();
  await shard.answer(1);
  assert.deepEqual(next.got, ['b'], 'the queue goes on');
});

for (const how of ['failJournal', 'die'] as const) {
  test(`${how}: everyone is told once that it is unknown`, async () => {
    const shard = new FakeShard();
    const targets = Array.from({ length: 4 }, () => new Target());
    for (const target of targets.slice(0, 2)) {
      shard.add('flying', target);
      await settled();
    }
    shard.add('waiting', targets[2]!);
    shard.add('waiting', targets[3]!);
    await shard[how](0);
    assert.equal(shard.fatal.length, 1);
    // What the gateway does then.
    shard.queue.failAll({ code: 'not-durable', retryAfterS: 5 });
    await shard.answer(1);
    assert.ok(targets.every(({ got }) => got.length === 1 && got[0] === 'not-durable'));
  });
}

test('drained waits for everything that was added', async () => {
  const shard = new FakeShard();
  await shard.queue.drained();
  shard.add('a');
  let drained = false;
  const waiting = shard.queue.drained().then(() => {
    drained = true;
  });
  await settled();
  assert.equal(drained, false);
  await shard.answer(0);
  await waiting;
});
