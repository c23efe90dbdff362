// What was published in the last minute is published again after a doubt, once for each, until it is taken.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { REPEAT_MESSAGES_MAX, REPEAT_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { PublishFailure } from './bus.js';
import { RepeatingPublisher } from './repeating-publisher.js';

class World {
  nowMs = 0;
  connected = true;
  result: Result<void, PublishFailure> = ok(undefined);
  published: string[] = [];
  doubt = (): void => undefined;
  connect = (_connected: boolean): void => undefined;
  readonly publisher: RepeatingPublisher;

  constructor(keepsMessages = true) {
    const world = this;
    this.publisher = new RepeatingPublisher({
      bus: {
        keepsMessages,
        get connected() {
          return world.connected;
        },
        onConnectedChange: (listener) => {
          world.connect = listener;
          return () => undefined;
        },
        onDoubt: (listener) => {
          world.doubt = listener;
          return () => undefined;
        },
        publish: async (topic, bodies) => {
          if (world.result.ok) world.published.push(...bodies.map((body) => `${topic} ${String(body)}`));
          return world.result;
        },
      },
      logger: pino({ level: 'silent' }),
      clock: () => this.nowMs,
    });
  }

  async publish(text: string): Promise<void> {
    assert.ok((await this.publisher.publish('t', [Buffer.from(text)])).ok);
  }

  /** What is published from now on. */
  async after(event: () => void): Promise<string[]> {
    this.published = [];
    event();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    return this.published;
  }
}

test('the last minute is published again, in order; the minute before is not', async () => {
  const world = new World();
  await world.publish('old');
  world.nowMs = REPEAT_MS;
  await world.publish('a');
  await world.publish('b');
  assert.deepEqual(await world.after(world.doubt), ['t a', 't b']);
  // What was published again may be lost again.
  assert.deepEqual(await world.after(world.doubt), ['t a', 't b']);
  world.nowMs += REPEAT_MS;
  assert.deepEqual(await world.after(world.doubt), []);
});

test('while the broker is away it waits, and is not forgotten', async () => {
  const world = new World();
  await world.publish('a');
  world.connected = false;
  assert.deepEqual(await world.after(world.doubt), []);
  world.connected = true;
  world.result = err('unreachable');
  assert.deepEqual(await world.after(() => world.connect(true)), []);
  world.result = ok(undefined);
  assert.deepEqual(await world.after(() => world.connect(true)), ['t a']);
  assert.deepEqual(await world.after(() => world.connect(true)), []);
  world.publisher.close();
  assert.deepEqual(await world.after(world.doubt), []);
});

test('it remembers a bounded number, the newest, and nothing for a bus that cannot lose any', async () => {
  const world = new World();
  const many = (prefix: string): Buffer[] =>
    Array.from({ length: REPEAT_MESSAGES_MAX / 2 }, (_, i) => Buffer.from(`${prefix}${i}`));
  for (const prefix of ['x', 'y', 'z']) assert.ok((await world.publisher.publish('t', many(prefix))).ok);
  const again = await world.after(world.doubt);
  assert.equal(again.length, REPEAT_MESSAGES_MAX);
  assert.ok(again[0]?.startsWith('t y'));
  const link = new World(false);
  await link.publish('a');
  assert.deepEqual(await link.after(link.doubt), []);
});
