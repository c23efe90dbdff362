// A publisher behind its lease: it hands over while the rounds are owned, and is not there afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '../core/result.js';
import type { Bus } from '../engines/bus.js';
import { GatedPublisher } from './gated-publisher.js';

test('nothing is published by who does not own the rounds, whoever asks', async () => {
  const published: string[] = [];
  let tell: (connected: boolean) => void = () => undefined;
  const bus: Pick<Bus, 'connected' | 'publish' | 'onConnectedChange' | 'onDoubt'> = {
    onDoubt: () => () => undefined,
    connected: true,
    publish: async (topic) => {
      published.push(topic);
      return ok(undefined);
    },
    onConnectedChange: (listener) => {
      tell = listener;
      return () => undefined;
    },
  };
  let owns = true;
  const gated = new GatedPublisher(bus, () => owns);
  const heard: boolean[] = [];
  gated.onConnectedChange((connected) => heard.push(connected));
  assert.equal(gated.connected, true);
  assert.ok((await gated.publish('a', [])).ok);
  tell(true);
  owns = false;
  assert.equal(gated.connected, false);
  assert.deepEqual(await gated.publish('b', []), { ok: false, error: 'closed' });
  tell(true);
  assert.deepEqual(published, ['a']);
  assert.deepEqual(heard, [true, false]);
});
