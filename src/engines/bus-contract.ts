// What every bus must do, as one suite: run against the embedded link and against a real nsqd.

import assert from 'node:assert/strict';
import { describe, type TestContext } from 'node:test';
import type { Message } from './bus.js';
import { faultContract } from './bus-contract-faults.js';
import {
  type BusRig,
  type BusTraits,
  bodies,
  contractOf,
  hold,
  publish,
  TOPIC,
  text,
  until,
} from './bus-contract-rig.js';

/** The whole suite. `make` gives two connected ends and tidies up by `t.after`. */
export function assertBusContract(traits: BusTraits, make: (t: TestContext) => Promise<BusRig>): void {
  const contract = contractOf(traits, make);

  describe(`the contract of a bus: ${traits.name}`, () => {
    contract('what is published arrives, whole, and is delivered once', async ({ publisher, subscriber }) => {
      const held = hold(subscriber);
      const large = Buffer.alloc(10_000, 'x');
      const published = publish(publisher, [...bodies(300), large]);
      await until(() => held.length === 301, 'all of it');
      for (const message of held) message.finish();
      assert.equal(await published, 'ok');
      const seen = held.map(text);
      const sent = [...bodies(300), large].map((body) => body.toString());
      assert.deepEqual(traits.isOrdered ? seen : seen.toSorted(), traits.isOrdered ? sent : sent.toSorted());
      assert.ok(held.every(({ attempts }) => attempts === 1));
      assert.deepEqual([publisher.counts.outstanding, subscriber.counts.inFlight], [0, 0]);
      assert.equal(publisher.counts.publishes.ok, 1);
    });

    contract('a message that is requeued comes again, counted', async ({ publisher, subscriber }) => {
      const attempts: number[] = [];
      subscriber.subscribe(
        TOPIC,
        (message) => {
          attempts.push(message.attempts);
          if (attempts.length < 3) message.requeue(20.5);
          else message.finish();
        },
        { maxInFlight: 1 },
      );
      assert.equal(await publish(publisher, bodies(1)), 'ok');
      await until(() => attempts.length === 3, 'three deliveries');
      assert.deepEqual(attempts, [1, 2, 3]);
    });

    contract('the end of a message is final', async ({ publisher, subscriber, cut, mend }) => {
      const seen: string[] = [];
      subscriber.subscribe(
        TOPIC,
        (message) => {
          seen.push(text(message));
          message.finish();
          message.requeue(0);
          message.touch();
          message.finish();
        },
        { maxInFlight: 10 },
      );
      assert.equal(await publish(publisher, bodies(3)), 'ok');
      await until(() => seen.length === 3, 'three messages');
      // Neither now nor when the connection is another one.
      await cut();
      await until(() => !publisher.connected, 'the cut');
      await mend();
      await until(() => publisher.connected, 'a new connection');
      await until(() => subscriber.counts.reconnects > 0, 'a new subscription');
      assert.equal(await publish(publisher, [Buffer.from('marker')]), 'ok');
      await until(() => seen.includes('marker'), 'the marker');
      assert.deepEqual(seen.toSorted(), ['m0', 'm1', 'm2', 'marker']);
    });

    contract('the handler never has more than it asked for', async ({ publisher, subscriber }) => {
      const held = hold(subscriber, 7);
      const published = publish(publisher, bodies(100));
      for (let ended = 0; ended < 100; ended++) {
        const expected = Math.min(100, ended + 7);
        await until(() => held.length === expected, `${expected} messages`);
        assert.equal(subscriber.counts.inFlight, expected - ended);
        held[ended]?.finish();
      }
      assert.equal(held.length, 100);
      assert.equal(await published, 'ok');
    });

    contract('sizes that cannot be carried are refused; nothing at all is done', async ({ publisher }) => {
      assert.equal(await publish(publisher, [new Uint8Array(0)]), 'bad-size');
      assert.equal(
        await publish(publisher, [Buffer.from('x'), new Uint8Array(traits.tooLargeBytes)]),
        'bad-size',
      );
      assert.equal(await publish(publisher, []), 'ok');
      assert.equal(publisher.counts.publishes['bad-size'], 2);
    });

    contract('bodies may be any bytes in any array', async ({ publisher, subscriber }) => {
      const held = hold(subscriber);
      const whole = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
      const published = publish(publisher, [whole.subarray(3, 400), whole]);
      await until(() => held.length === 2, 'both');
      for (const message of held) message.finish();
      assert.equal(await published, 'ok');
      const sizes = held.map(({ body }) => body.length).toSorted((a, b) => a - b);
      assert.deepEqual(sizes, [397, 512]);
      for (const { body } of held) {
        const first = body.length === 512 ? 0 : 3;
        assert.deepEqual(Uint8Array.from(body), whole.subarray(first, first + body.length));
      }
    });

    contract('a subscription that is closed delivers nothing more', async ({ publisher, subscriber }) => {
      const held: Message[] = [];
      const subscription = subscriber.subscribe(TOPIC, (message) => held.push(message), { maxInFlight: 1 });
      const published = publish(publisher, bodies(3));
      await until(() => held.length === 1, 'the first');
      subscription.close();
      held[0]?.finish();
      const next: Message[] = [];
      subscriber.subscribe(TOPIC, (message) => next.push(message), { maxInFlight: 10 });
      if (traits.isBroker) await until(() => next.length === 2, 'the others, for the next subscription');
      else assert.equal(await published, 'unreachable');
      assert.equal(held.length, 1);
    });

    faultContract(contract, traits);
  });
}
