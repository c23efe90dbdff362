// Dead letters: kept with reason and original where the bus keeps messages, counted where it does not, never lost twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import {
  DEAD_LETTER_BODY_BYTES_MAX,
  DEAD_LETTER_RETRY_MAX_MS,
  MESSAGE_ATTEMPTS_MAX,
} from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { Message, PublishFailure } from './bus.js';
import { type DeadLetter, DeadLetters } from './dead-letters.js';

const AT_MS = Date.parse('2026-11-23T11:00:00.000Z');

class World {
  keepsMessages = true;
  result: Result<void, PublishFailure> = ok(undefined);
  readonly published: { topic: string; letter: DeadLetter }[] = [];
  readonly ends: string[] = [];
  readonly deadLetters: DeadLetters;

  constructor() {
    const world = this;
    this.deadLetters = new DeadLetters({
      bus: {
        get keepsMessages() {
          return world.keepsMessages;
        },
        publish: async (topic, bodies) => {
          for (const body of bodies)
            world.published.push({ topic, letter: JSON.parse(Buffer.from(body).toString()) as DeadLetter });
          return world.result;
        },
      },
      logger: pino({ level: 'silent' }),
      nowMs: () => AT_MS,
    });
  }

  message(body: Uint8Array, attempts = 1): Message {
    return {
      body,
      attempts,
      finish: () => void this.ends.push('finish'),
      requeue: (delayMs) => void this.ends.push(`requeue ${delayMs}`),
      touch: () => undefined,
    };
  }

  async bury(message: Message): Promise<void> {
    this.deadLetters.bury('a.topic', message, 'unreadable', 'not JSON');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a dead letter says where it came from, why and when, with all of the original', async () => {
  const world = new World();
  const original = Uint8Array.from([0, 1, 254, 255]);
  await world.bury(world.message(original, 3));
  assert.deepEqual(world.published, [
    {
      topic: 'a.topic.dead',
      letter: {
        topic: 'a.topic',
        reason: 'unreadable',
        detail: 'not JSON',
        attempts: 3,
        at: '2026-11-23T11:00:00.000Z',
        bytes: 4,
        body: 'AAH+/w==',
      },
    },
  ]);
  assert.deepEqual(world.ends, ['finish']);
  assert.deepEqual([world.deadLetters.counts.unreadable, world.deadLetters.lost], [1, 0]);
});

test('one that cannot be put aside now comes again, later each time', async () => {
  const world = new World();
  world.result = err('unreachable');
  for (const attempts of [1, 2, 5, 60_000]) await world.bury(world.message(Buffer.from('{'), attempts));
  assert.deepEqual(world.ends, [
    'requeue 1000',
    'requeue 2000',
    'requeue 16000',
    `requeue ${DEAD_LETTER_RETRY_MAX_MS}`,
  ]);
  assert.equal(world.deadLetters.counts.unreadable, 0, 'counted when it is put aside');
});

test('of a large one the start is kept; one that no topic can carry is dropped and counted as lost', async () => {
  const world = new World();
  await world.bury(world.message(Buffer.alloc(DEAD_LETTER_BODY_BYTES_MAX + 5)));
  const { bytes, body } = world.published[0]!.letter;
  assert.equal(bytes, DEAD_LETTER_BODY_BYTES_MAX + 5);
  assert.equal(Buffer.from(body, 'base64').length, DEAD_LETTER_BODY_BYTES_MAX);
  world.result = err('bad-size');
  await world.bury(world.message(Buffer.from('{')));
  assert.deepEqual(world.ends, ['finish', 'finish']);
  assert.deepEqual([world.deadLetters.counts.unreadable, world.deadLetters.lost], [2, 1]);
});

test('where the bus keeps nothing it is finished at once, and counted', async () => {
  const world = new World();
  world.keepsMessages = false;
  world.deadLetters.bury('a.topic', world.message(Buffer.from('{')), 'conflict', 'two of one id');
  assert.deepEqual([world.ends, world.published], [['finish'], []]);
  assert.deepEqual([world.deadLetters.counts.conflict, world.deadLetters.lost], [1, 1]);
});

test('a message is worn out only where it can be put aside', () => {
  const world = new World();
  const old = world.message(Buffer.from('{'), MESSAGE_ATTEMPTS_MAX + 1);
  assert.equal(world.deadLetters.isWornOut(world.message(Buffer.from('{'), MESSAGE_ATTEMPTS_MAX)), false);
  assert.equal(world.deadLetters.isWornOut(old), true);
  world.keepsMessages = false;
  assert.equal(world.deadLetters.isWornOut(old), false);
});
