// The queue in front of a shard: batching, order, bounds, misroutes, deadlines, failures. The shard is played here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANSWER_BYTES_MAX,
  BATCH_REQUESTS_MAX,
  REQUEST_DEADLINE_MS,
  SHARD_BATCHES_IN_FLIGHT_MAX,
  SHARD_SLABS,
} from '../core/limits.js';
import type { Problem } from '../core/problem.js';
import { AnswerWriter } from '../workers/answer-writer.js';
import { BATCH_FLAG, BATCH_RING_BYTES, BatchRing, batchesBetween } from '../workers/batch-ring.js';
import { REQUEST } from '../workers/protocol.js';
import { RequestCursor } from '../workers/request-cursor.js';
import type { AnswerCursor } from './answer-cursor.js';
import type { AnswerTarget } from './answer-target.js';
import { ShardQueue } from './shard-queue.js';

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
  readonly ring = new BatchRing(new SharedArrayBuffer(BATCH_RING_BYTES));
  readonly misrouted: { shard: number; key: string; target: AnswerTarget }[] = [];
  readonly fatal: string[] = [];
  readonly queue: ShardQueue;
  /** Requests of each batch that was handed over. */
  readonly counts: number[] = [];
  nowMs = 0;
  wakes = 0;
  /** Batches that are held back, where they are. */
  readonly held: { sequence: number; release: (problem: Problem | null) => void }[] = [];
  #overflows: ArrayBuffer[] = [];

  constructor(holds = false) {
    this.queue = new ShardQueue({
      ring: this.ring,
      wake: () => {
        this.wakes++;
        while (this.counts.length < this.ring.published)
          this.counts.push(this.ring.requestCount(this.counts.length));
      },
      takeOverflow: () => this.#overflows.shift()!,
      hold: holds ? (sequence, release) => this.held.push({ sequence, release }) : null,
      onMisrouted: (shard, record, target) => {
        this.misrouted.push({ shard, key: keysOf(Buffer.from(record), record.length)[0]!, target });
      },
      onFatal: (reason) => this.fatal.push(reason),
      clock: () => this.nowMs,
    });
  }

  add(key: string, target: AnswerTarget = new Target()): boolean {
    return this.queue.add(REQUEST.invest, 0, 1, 'token', key, Buffer.from('{}'), target);
  }

  /** Answers the oldest batch. `pad`: characters in front of each key. */
  async answer(pad = 0, durable = 0): Promise<void> {
    const batch = this.ring.answered;
    const writer = new AnswerWriter();
    writer.open(this.ring.answers(batch));
    for (const key of keysOf(this.ring.requests(batch), this.ring.requestBytes(batch))) {
      if (key === 'other') writer.misrouted(2);
      else writer.http(200, '200 OK', '.'.repeat(pad) + key);
    }
    const { overflow } = writer;
    if (overflow !== null) this.#overflows.push(overflow);
    this.ring.answer(writer.length, overflow === null ? 0 : BATCH_FLAG.overflow, durable);
    this.queue.answered();
    await settled();
  }

  async failJournal(): Promise<void> {
    this.ring.answer(0, BATCH_FLAG.failed, 0);
    this.queue.answered();
    await settled();
  }
}

function keysOf(bytes: Buffer, length: number): string[] {
  const cursor = new RequestCursor();
  cursor.open(bytes, length);
  const keys: string[] = [];
  while (cursor.next()) keys.push(cursor.key.text());
  return keys;
}

test('what arrives in one turn of the loop is one batch, in order', async () => {
  const shard = new FakeShard();
  const targets = ['a', 'b', 'c'].map((key) => {
    const target = new Target();
    assert.ok(shard.add(key, target));
    return target;
  });
  assert.deepEqual([shard.counts.length, shard.queue.queued], [0, 3]);
  await settled();
  assert.deepEqual(shard.counts, [3]);
  assert.deepEqual(keysOf(shard.ring.requests(0), shard.ring.requestBytes(0)), ['a', 'b', 'c']);
  assert.deepEqual([shard.queue.queued, shard.queue.requestsInFlight], [0, 3]);
  await shard.answer();
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
  assert.equal(shard.counts.length, SHARD_BATCHES_IN_FLIGHT_MAX);
  await shard.answer();
  assert.equal(shard.counts.length, SHARD_BATCHES_IN_FLIGHT_MAX + 1);
  assert.equal(shard.counts.at(-1), 5);
});

test('the queue is bounded: past it nothing is taken, and what was taken is answered once, in bounded batches', async () => {
  const shard = new FakeShard();
  const targets: Target[] = [];
  for (let i = 0; i < SHARD_SLABS * BATCH_REQUESTS_MAX; i++) {
    const target = new Target();
    targets.push(target);
    assert.ok(shard.add(`k${i}`, target));
  }
  const refused = new Target();
  assert.equal(shard.add('one more', refused), false);
  await settled();
  for (let at = 0; at < shard.counts.length; at++) await shard.answer();
  assert.ok(shard.counts.every((count) => count <= BATCH_REQUESTS_MAX));
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
  await shard.answer();
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
  await shard.answer();
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
  await shard.answer();
  assert.deepEqual(target.got, ['overloaded']);
  const next = new Target();
  shard.add('b', next);
  await settled();
  await shard.answer();
  assert.deepEqual(next.got, ['b'], 'the queue goes on');
});

test('when the journal fails everyone is told once that it is unknown', async () => {
  const shard = new FakeShard();
  const targets = Array.from({ length: 4 }, () => new Target());
  for (const target of targets.slice(0, 2)) {
    shard.add('flying', target);
    await settled();
  }
  shard.add('waiting', targets[2]!);
  shard.add('waiting', targets[3]!);
  await shard.failJournal();
  assert.equal(shard.fatal.length, 1);
  // What the gateway does then.
  shard.queue.failAll({ code: 'not-durable', retryAfterS: 5 });
  await shard.answer();
  assert.ok(targets.every(({ got }) => got.length === 1 && got[0] === 'not-durable'));
});

test('what is held back is told when it may be, in order, and its slab is not filled anew before', async () => {
  const shard = new FakeShard(true);
  const targets = Array.from({ length: 2 * SHARD_SLABS }, () => new Target());
  const isTaken = [];
  for (const [i, target] of targets.entries()) {
    isTaken.push(shard.add(`k${i}`, target));
    await settled();
    if (shard.ring.answered !== shard.ring.published) await shard.answer(0, 100 + i);
  }
  assert.ok(targets.every(({ got }) => got.length === 0));
  assert.deepEqual(
    shard.held.map(({ sequence }) => sequence),
    shard.held.map((_, i) => 100 + i),
    'each batch with the sequence that was durable when it was answered',
  );
  assert.equal(shard.held.length, SHARD_SLABS / 2, 'then a slab gathers what comes meanwhile');
  shard.held.shift()!.release(null);
  assert.deepEqual([targets[0]!.got, targets[1]!.got], [['k0'], []]);
  shard.held.shift()!.release({ code: 'not-durable' });
  assert.deepEqual(targets[1]!.got, ['not-durable']);
  for (let i = 0; i < targets.length; i++) {
    for (const { release } of shard.held.splice(0)) release(null);
    await settled();
    if (shard.ring.answered !== shard.ring.published) await shard.answer(0, 200 + i);
  }
  for (const { release } of shard.held.splice(0)) release(null);
  assert.ok(isTaken.every(Boolean));
  assert.ok(targets.every(({ got }) => got.length === 1));
  await shard.queue.drained();
});

test('small batches that are held back leave half of the slabs to be filled', async () => {
  const shard = new FakeShard(true);
  for (let i = 0; i < SHARD_SLABS; i++) {
    assert.ok(shard.add(`small${i}`));
    await settled();
    if (shard.ring.answered !== shard.ring.published) await shard.answer(0, 100 + i);
  }
  let taken = 0;
  while (shard.add(`k${taken}`)) {
    taken++;
    if (taken % 1_000 !== 0) continue;
    await settled();
    while (shard.ring.answered !== shard.ring.published) await shard.answer(0, 200);
  }
  assert.ok(taken >= (SHARD_SLABS / 2) * BATCH_REQUESTS_MAX - SHARD_SLABS, `${taken} were taken`);
});

test('answers that do not fit their slab come whole, each batch its own', async () => {
  const shard = new FakeShard();
  const targets = Array.from({ length: 4 }, () => new Target());
  for (const [i, target] of targets.entries()) {
    shard.add(`k${i}`, target);
    if (i % 2 === 1) await settled();
  }
  await shard.answer(ANSWER_BYTES_MAX);
  await shard.answer(ANSWER_BYTES_MAX);
  assert.ok(
    targets.every(({ got }, i) => got[0]?.length === ANSWER_BYTES_MAX + 2 && got[0].endsWith(`k${i}`)),
  );
});

test('slots are used again and again, also where the count of batches wraps', async () => {
  const shard = new FakeShard();
  for (let i = 0; i < 3 * SHARD_SLABS; i++) {
    const target = new Target();
    shard.add(`k${i}`, target);
    await settled();
    await shard.answer();
    assert.deepEqual(target.got, [`k${i}`]);
  }
  assert.equal(batchesBetween(0xffff_ffff, 1), 2);
});

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
  await shard.answer();
  await waiting;
});
