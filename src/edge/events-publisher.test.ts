// Events on their way out: never a cursor ahead of what was published, the last minute again after a doubt or a crash,
// nothing again after a stop in order.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import type { JournalPosition } from '../core/journal-format.js';
import { EVENTS_CURSOR_MS, EVENTS_REPEAT_MS, EVENTS_RETRY_MIN_MS } from '../core/limits.js';
import { TOPICS } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import type { PublishFailure } from '../engines/bus.js';
import type { EventsAnswer } from '../workers/events-protocol.js';
import { EventsCursor } from './events-cursor.js';
import { EventsPublisher } from './events-publisher.js';

const BATCH_ROWS = 10;
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const place = (nextSequence: number): JournalPosition => ({
  segment: 0,
  offset: nextSequence * 100,
  nextSequence,
  previousChecksum: 7,
});

/** A journal of rows that are all events, a bus that answers as it is told to, and a cursor. */
class World {
  rows = 0;
  nowMs = 0;
  connected = true;
  answer: EventsAnswer | null = null;
  result: () => Result<void, PublishFailure> = () => ok(undefined);
  readonly published: number[] = [];
  stored: JournalPosition | null;
  diskIsFull = false;
  readonly events: EventsPublisher;
  doubt = (): void => undefined;

  constructor(stored: JournalPosition | null = null) {
    this.stored = stored;
    const world = this;
    this.events = new EventsPublisher({
      read: async (from) => {
        if (world.answer !== null) return world.answer;
        const first = from?.nextSequence ?? 1;
        const count = Math.max(0, Math.min(BATCH_ROWS, world.rows - first + 1));
        const texts = Array.from({ length: count }, (_, i) => `${first + i}`.padStart(4, '0'));
        const slab = Buffer.from(texts.join(''));
        return ok({ slab, ends: texts.map((_, at) => 4 * (at + 1)), position: place(first + count) });
      },
      closeReader: async () => undefined,
      durable: () => world.rows,
      bus: {
        get connected() {
          return world.connected;
        },
        onConnectedChange: () => () => undefined,
        onDoubt: (listener) => {
          world.doubt = listener;
          return () => undefined;
        },
        publish: async (topic, bodies) => {
          assert.equal(topic, TOPICS.events);
          const result = world.result();
          if (result.ok) for (const body of bodies) world.published.push(Number.parseInt(String(body), 10));
          return result;
        },
      },
      cursor: {
        read: async () => world.stored,
        write: async (position) => {
          if (world.diskIsFull) throw new Error('ENOSPC');
          assert.ok(position.nextSequence <= world.published.at(-1)! + 1, 'never ahead of what is published');
          world.stored = position;
        },
      },
      logger: pino({ level: 'silent' }),
      clock: () => this.nowMs,
    });
  }

  get storedSequence(): number {
    return (this.stored?.nextSequence ?? 1) - 1;
  }

  /** Lets time pass in ticks. */
  async pass(ms: number, stepMs = 250): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += stepMs;
      this.events.tick();
      await settled();
    }
  }
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

test('every event once, in order; after a stop in order it goes on where it was', async () => {
  const world = new World();
  world.rows = 25;
  await world.events.start();
  await world.pass(250);
  assert.deepEqual(world.published, range(1, 25));
  assert.deepEqual([world.events.published, world.events.sequence], [25, 25]);
  await world.events.stop();
  assert.equal(world.storedSequence, 25);
  const next = new World(world.stored);
  next.rows = 30;
  await next.events.start();
  await next.pass(250);
  assert.deepEqual(next.published, range(26, 30));
  await next.events.stop();
});

test('a publish that fails is tried again from the same place, later each time', async () => {
  const world = new World();
  world.rows = 5;
  let tries = 0;
  world.result = () => (++tries < 4 ? err('timeout') : ok(undefined));
  await world.events.start();
  await world.pass(EVENTS_RETRY_MIN_MS, 10);
  assert.equal(tries, 1);
  await world.pass(7 * EVENTS_RETRY_MIN_MS, 10);
  assert.equal(tries, 4);
  assert.deepEqual(world.published, range(1, 5));
  world.connected = false;
  world.rows = 6;
  await world.pass(1_000);
  assert.equal(tries, 4, 'nothing is tried without a bus');
  await world.events.stop();
});

test('after a broker went away the last minute is published again, and no more', async () => {
  const world = new World();
  await world.events.start();
  world.rows = 100;
  await world.pass(EVENTS_REPEAT_MS);
  world.rows = 130;
  await world.pass(EVENTS_REPEAT_MS / 2);
  world.published.length = 0;
  world.doubt();
  await world.pass(1_000);
  assert.deepEqual(world.published, range(101, 130));
  await world.pass(2 * EVENTS_REPEAT_MS, 1_000);
  world.published.length = 0;
  world.doubt();
  await world.pass(1_000);
  assert.deepEqual(world.published, [], 'a minute later all of it counts as consumed');
  await world.events.stop();
});

test('a doubt in the middle of a batch is not forgotten', async () => {
  const world = new World();
  await world.events.start();
  world.rows = 20;
  world.result = () => {
    if (world.published.length === 10) world.doubt();
    return ok(undefined);
  };
  await world.pass(1_000);
  assert.deepEqual(world.published, [...range(1, 20), ...range(1, 20)]);
  await world.events.stop();
});

test('a crash repeats at most the last minute: the stored cursor is that far behind', async () => {
  const world = new World();
  await world.events.start();
  for (let second = 0; second < 120; second++) {
    world.rows += 10;
    await world.pass(1_000, 500);
  }
  assert.equal(world.published.length, 1_200);
  assert.ok(world.storedSequence >= 560 && world.storedSequence <= 600, `${world.storedSequence}`);
  // It dies here; another one goes on.
  const next = new World(world.stored);
  next.rows = world.rows;
  await next.events.start();
  await next.pass(250);
  assert.deepEqual(next.published, range(world.storedSequence + 1, 1_200));
  await next.events.stop();
});

test('the cursor follows also when nothing more comes, and a full disk only delays it', async () => {
  const world = new World();
  await world.events.start();
  world.rows = 3;
  await world.pass(1_000);
  assert.equal(world.stored, null);
  world.diskIsFull = true;
  await world.pass(EVENTS_REPEAT_MS + EVENTS_CURSOR_MS, 1_000);
  assert.equal(world.stored, null);
  world.diskIsFull = false;
  await world.pass(2 * EVENTS_CURSOR_MS);
  assert.equal(world.storedSequence, 3);
  await world.events.stop();
});

test('a cursor of another journal starts from its beginning; damage is tried again and never skipped', async () => {
  const world = new World(place(50));
  world.rows = 4;
  world.answer = err({ code: 'not-here' });
  await world.events.start();
  world.rows = 60;
  world.events.tick();
  await settled();
  world.answer = err({ code: 'damaged', message: 'segment 0' });
  await world.pass(1_000);
  assert.deepEqual(world.published, []);
  world.answer = null;
  await world.pass(10_000);
  assert.deepEqual(world.published, range(1, 60));
  await world.events.stop();
});

test('the file of the cursor is replaced whole, and is only good for its journal', async (t) => {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'openbell-cursor-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'events-cursor.json');
  const cursor = new EventsCursor(file, 'abcd1234');
  assert.equal(await cursor.read(), null);
  await cursor.write(place(7));
  await cursor.write(place(9));
  assert.deepEqual(await cursor.read(), place(9));
  assert.deepEqual(fs.readdirSync(directory), ['events-cursor.json']);
  assert.equal(await new EventsCursor(file, 'other123').read(), null);
  fs.writeFileSync(file, '{"journalId":"abcd1234","segment":');
  assert.equal(await cursor.read(), null);
  fs.writeFileSync(file, '{"journalId":"abcd1234","segment":"0"}');
  assert.equal(await cursor.read(), null);
});
