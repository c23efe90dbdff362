// Micro suite: core/request-reader.ts, the body of one investment to its members.

import { packMsgpack } from '../../src/core/msgpack.js';
import { RequestReader, type RequestShape } from '../../src/core/request-reader.js';
import { AMOUNT, idempotencyKey } from './samples.js';
import type { Case, Suite, World } from './suite.js';

const BODY = { amount: AMOUNT, currency: 'GBP' };
const MESSAGE = { type: 'invest', key: idempotencyKey(1), ...BODY };

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function reading(world: World, name: string, body: Buffer, shape: RequestShape, msgpack: boolean): Case {
  const operations = world.size(1_000, 50);
  const reader = new RequestReader();
  // As in a slab, where a body stands between others.
  const slab = Buffer.concat([Buffer.alloc(64, 0x20), body, Buffer.alloc(64, 0x20)]);
  return {
    name,
    operations,
    run: () => {
      for (let i = 0; i < operations; i++) {
        if (!reader.read(slab, 64, 64 + body.length, msgpack, shape) || reader.amount !== AMOUNT)
          throw new Error(`not read: ${reader.reason}`);
      }
      return undefined;
    },
  };
}

export const BODY_PARSE: Suite = {
  name: 'body-parse',
  about:
    'One body of an investment, or one `invest` message of a live connection, from bytes to its members.',
  prepare: (world) => ({
    cases: [
      reading(world, 'JSON', json(BODY), 'investment', false),
      reading(
        world,
        'JSON, unusual (an escape in a name)',
        Buffer.from(`{"am\\u006funt":${AMOUNT},"currency":"GBP"}`),
        'investment',
        false,
      ),
      reading(world, 'MessagePack', packMsgpack(BODY), 'investment', true),
      reading(world, 'live JSON message', json(MESSAGE), 'message', false),
      reading(world, 'live MessagePack message', packMsgpack(MESSAGE), 'message', true),
    ],
  }),
};
