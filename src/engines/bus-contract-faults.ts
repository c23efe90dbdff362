// The part of the suite of a bus in which something fails: cut, silent, full, closed.

import assert from 'node:assert/strict';
import {
  type BusTraits,
  bodies,
  type Contract,
  DEADLINE_MS,
  hold,
  publish,
  TOPIC,
  text,
  until,
} from './bus-contract-rig.js';

export function faultContract(contract: Contract, traits: BusTraits): void {
  contract('without anybody to publish to it fails at once, and says when that changes', async (rig) => {
    const { publisher, subscriber } = rig;
    subscriber.subscribe(TOPIC, (message) => message.finish(), { maxInFlight: 10 });
    const changes: boolean[] = [];
    publisher.onConnectedChange((connected) => changes.push(connected));
    await rig.cut();
    await until(() => !publisher.connected, 'the cut');
    assert.equal(await publish(publisher, bodies(1)), 'unreachable');
    await rig.mend();
    await until(() => publisher.connected, 'a new connection');
    await until(() => subscriber.counts.reconnects > 0, 'a new subscription');
    assert.equal(await publish(publisher, bodies(1)), 'ok');
    assert.deepEqual(changes, [false, true]);
  });

  contract('cut again and again, with an outbox behind it, all arrives at least once', async (rig) => {
    const { publisher, subscriber } = rig;
    const total = 3_000;
    const open = new Map(bodies(total).map((body) => [body.toString(), body]));
    /** What to publish, or to publish again. */
    let due = new Set(open.keys());
    let handled = 0;
    subscriber.subscribe(
      TOPIC,
      (message) => {
        handled++;
        open.delete(text(message));
        setImmediate(() => message.finish());
      },
      { maxInFlight: 50 },
    );
    // What an outbox does: what was taken may be lost with the one who took it.
    const again = (): void => {
      due = new Set(open.keys());
    };
    publisher.onDoubt(again);
    subscriber.onDoubt(again);
    let inFlight = 0;
    const pump = async (): Promise<void> => {
      const some = [...due].slice(0, 64);
      for (const each of some) due.delete(each);
      inFlight++;
      const result = await publish(
        publisher,
        some.flatMap((each) => open.get(each) ?? []),
      );
      inFlight--;
      if (result !== 'ok') for (const each of some) if (open.has(each)) due.add(each);
    };
    for (const mark of [500, 1_200, 2_000, total]) {
      const deadlineMs = performance.now() + DEADLINE_MS;
      while (total - open.size < mark) {
        assert.ok(performance.now() < deadlineMs, `${open.size} are missing`);
        if (publisher.connected && due.size > 0 && inFlight < 4) void pump();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      if (mark === total) break;
      await rig.cut();
      await until(() => !publisher.connected, 'the cut');
      await rig.mend();
    }
    assert.equal(open.size, 0);
    assert.ok(handled >= total);
  });

  contract('what is in hand when the connection dies comes again; ending it touches nothing', async (rig) => {
    const { publisher, subscriber } = rig;
    const held = hold(subscriber, 5);
    const first = publish(publisher, bodies(2));
    await until(() => held.length === 2, 'both');
    if (traits.isBroker) assert.equal(await first, 'ok');
    await rig.cut();
    await until(() => !publisher.connected, 'the cut');
    if (!traits.isBroker) assert.equal(await first, 'unreachable');
    await rig.mend();
    await until(() => publisher.connected, 'a new connection');
    await until(() => subscriber.counts.reconnects > 0, 'a new subscription');
    const old = held.splice(0);
    // The broker died with what it had; the producer's outbox has it.
    const again = publish(publisher, bodies(2, 10));
    await until(() => held.length >= 2, 'the new ones');
    old[0]?.finish();
    old[1]?.requeue(0);
    for (const message of held) message.finish();
    assert.equal(await again, 'ok');
    assert.ok(['m10', 'm11'].every((each) => held.some((message) => text(message) === each)));
  });

  contract('behind one that does not answer a publish fails in time, and works again after', async (rig) => {
    const { publisher, subscriber } = rig;
    const seen = new Set<string>();
    subscriber.subscribe(
      TOPIC,
      (message) => {
        seen.add(text(message));
        message.finish();
      },
      { maxInFlight: 10 },
    );
    assert.equal(await publish(publisher, bodies(1)), 'ok');
    await rig.pause();
    const failure = await publish(publisher, bodies(1, 1));
    assert.ok(failure === 'timeout' || failure === 'unreachable', failure);
    if (traits.isBroker) assert.equal(failure, 'timeout');
    await rig.resume();
    await until(() => publisher.connected, 'a new connection');
    const deadlineMs = performance.now() + DEADLINE_MS;
    while ((await publish(publisher, bodies(1, 2))) !== 'ok') assert.ok(performance.now() < deadlineMs);
    await until(() => seen.has('m2'), 'the message after');
  });

  contract('more than may wait is refused, and what waited is delivered', async (rig) => {
    const { publisher, subscriber } = rig;
    const held = traits.isBroker ? [] : hold(subscriber);
    if (traits.isBroker) await rig.pause();
    const waiting = publish(publisher, bodies(1_000));
    const results = [waiting];
    const more = Math.ceil(traits.tooManyMessages / 1_000);
    for (let i = 1; i <= more; i++) results.push(publish(publisher, bodies(1_000, i * 1_000)));
    assert.equal(await results.at(-1), 'overloaded');
    assert.ok(publisher.counts.publishes.overloaded > 0);
    if (traits.isBroker) await rig.resume();
    else await until(() => held.length === 1_000, 'the first of them');
    for (const message of held) message.finish();
    assert.equal(await waiting, 'ok');
  });

  contract('close fails what is outstanding and what comes after', async (rig) => {
    const { publisher, subscriber } = rig;
    if (traits.isBroker) await rig.pause();
    else hold(subscriber);
    const outstanding = [publish(publisher, bodies(3)), publish(publisher, bodies(3))];
    await publisher.close();
    assert.deepEqual(await Promise.all(outstanding), ['closed', 'closed']);
    assert.equal(await publish(publisher, bodies(1)), 'closed');
    assert.equal(publisher.connected, false);
    if (traits.isBroker) await rig.resume();
  });
}
