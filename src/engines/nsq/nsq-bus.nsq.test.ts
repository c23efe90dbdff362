// What only NSQ has: several nsqds, discovery, redelivery by time, counted attempts, refusals, strangers.

import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { skipWithoutEngine } from '../../../test/harness/engine-files.js';
import { type Nsqd, type NsqdOptions, startNsqd, startNsqlookupd } from '../../../test/harness/nsq.js';
import { NSQ_BODY_BYTES_MAX } from '../../core/limits.js';
import type { Message } from '../bus.js';
import { TOPIC, until } from '../bus-contract-rig.js';
import { nsqBus } from './nsq-bench.js';

const skip = skipWithoutEngine('nsqd');

async function nsqds(t: TestContext, count: number, options: NsqdOptions = {}): Promise<Nsqd[]> {
  const all = await Promise.all(Array.from({ length: count }, () => startNsqd(options)));
  for (const nsqd of all) t.after(() => nsqd.remove());
  return all;
}

const text = ({ body }: Message): string => Buffer.from(body).toString();
const some = (count: number, prefix = 'm'): Buffer[] =>
  Array.from({ length: count }, (_, i) => Buffer.from(`${prefix}${i}`));

/** Finishes everything and remembers it. */
function drain(bus: ReturnType<typeof nsqBus>, maxInFlight = 100): Set<string> {
  const seen = new Set<string>();
  bus.subscribe(
    TOPIC,
    (message) => {
      seen.add(text(message));
      message.finish();
    },
    { maxInFlight },
  );
  return seen;
}

test('when the nsqd in use dies the next one takes over, and both are consumed', { skip }, async (t) => {
  const [first, second] = (await nsqds(t, 2)) as [Nsqd, Nsqd];
  const addresses = [first.tcpAddress, second.tcpAddress];
  const publisher = nsqBus(t, addresses);
  const seen = drain(nsqBus(t, addresses));
  await until(() => publisher.connected, 'a connection');
  let doubts = 0;
  publisher.onDoubt(() => {
    doubts++;
  });
  assert.ok((await publisher.publish(TOPIC, some(10, 'before'))).ok);
  await until(() => seen.size === 10, 'what the first one had');
  await first.kill();
  assert.ok((await publisher.publish(TOPIC, some(10, 'after'))).ok);
  await until(() => seen.size === 20, 'what the second one had');
  assert.deepEqual([publisher.connected, doubts], [true, 1]);
  await second.kill();
  await until(() => !publisher.connected, 'the end of both');
  await first.restart();
  await until(() => publisher.connected, 'the first one again');
  assert.ok((await publisher.publish(TOPIC, some(10, 'again'))).ok);
  await until(() => seen.size === 30, 'what the first one had again');
});

test('publishes to an nsqd that hangs are taken by the next one in time', { skip }, async (t) => {
  const [first, second] = (await nsqds(t, 2)) as [Nsqd, Nsqd];
  const publisher = nsqBus(t, [first.tcpAddress, second.tcpAddress]);
  await until(() => publisher.connected, 'a connection');
  const seen = drain(nsqBus(t, [second.tcpAddress]));
  assert.ok((await publisher.publish(TOPIC, some(1))).ok);
  await first.pause();
  // More than may be in flight at once: some are sent and unanswered, some wait.
  const published = Array.from({ length: 9 }, (_, i) => publisher.publish(TOPIC, some(5, `p${i}-`)));
  const results = await Promise.all(published);
  assert.ok(results.every(({ ok }) => ok));
  await until(() => seen.size >= 45, 'all that the second one took');
  first.resume();
});

test('nsqlookupd names the nsqds; while it is away what was known goes on', { skip }, async (t) => {
  const lookupd = await startNsqlookupd();
  t.after(() => lookupd.remove());
  const settings = { nsqlookupd: [lookupd.httpUrl.replace('http://', '')] };
  const publisher = nsqBus(t, [], { settings });
  const seen = drain(nsqBus(t, [], { settings }));
  assert.deepEqual(await publisher.publish(TOPIC, some(1)), { ok: false, error: 'unreachable' });
  const [first] = (await nsqds(t, 1, { lookupdTcpAddresses: [lookupd.tcpAddress] })) as [Nsqd];
  await until(() => publisher.connected, 'a discovered nsqd');
  assert.ok((await publisher.publish(TOPIC, some(3, 'a'))).ok);
  await until(() => seen.size === 3, 'messages through it');
  await lookupd.kill();
  assert.ok((await publisher.publish(TOPIC, some(3, 'b'))).ok);
  await until(() => seen.size === 6, 'messages without nsqlookupd');
  await first.kill();
  await first.restart();
  await until(() => publisher.connected, 'the known nsqd again');
  await lookupd.restart();
  const [second] = (await nsqds(t, 1, { lookupdTcpAddresses: [lookupd.tcpAddress] })) as [Nsqd];
  assert.ok(second.isRunning());
  // Publishes go to the known one until it is gone; then the other one must be found.
  await first.remove();
  const lateMs = performance.now() + 20_000;
  while (!(await publisher.publish(TOPIC, some(3, 'c'))).ok) {
    assert.ok(performance.now() < lateMs, 'the second nsqd is not found');
    await new Promise(setImmediate);
  }
  await until(() => seen.size === 9, 'messages of an nsqd found later');
});

test('a message in hand stays in hand while it is touched, and comes again when it is not', {
  skip,
}, async (t) => {
  const [nsqd] = (await nsqds(t, 1)) as [Nsqd];
  const bus = nsqBus(t, [nsqd.tcpAddress], { timings: { messageTimeoutMs: 1_000 } });
  const attempts = new Map<string, number>();
  const timers: NodeJS.Timeout[] = [];
  bus.subscribe(
    TOPIC,
    (message) => {
      attempts.set(text(message), message.attempts);
      if (text(message) === 'touched') timers.push(setInterval(() => message.touch(), 100));
    },
    { maxInFlight: 10 },
  );
  t.after(() => {
    for (const timer of timers) clearInterval(timer);
  });
  await until(() => bus.connected, 'a connection');
  assert.ok((await bus.publish(TOPIC, [Buffer.from('touched'), Buffer.from('left')])).ok);
  await until(() => attempts.get('left') === 3, 'the third delivery of the other');
  assert.equal(attempts.get('touched'), 1);
});

test('a delivery that timed out is over: to end it late does not end the next one', { skip }, async (t) => {
  const [nsqd] = (await nsqds(t, 1)) as [Nsqd];
  const bus = nsqBus(t, [nsqd.tcpAddress], { timings: { messageTimeoutMs: 1_000 } });
  const deliveries: Message[] = [];
  bus.subscribe(TOPIC, (message) => deliveries.push(message), { maxInFlight: 10 });
  await until(() => bus.connected, 'a connection');
  assert.ok((await bus.publish(TOPIC, some(1))).ok);
  await until(() => deliveries.length === 2, 'the second delivery');
  deliveries[0]?.finish();
  await until(() => deliveries.length === 3, 'the third one');
  assert.deepEqual(
    deliveries.map(({ attempts }) => attempts),
    [1, 2, 3],
  );
  deliveries[2]?.finish();
});

test('attempts are counted across consumers', { skip }, async (t) => {
  const [nsqd] = (await nsqds(t, 1)) as [Nsqd];
  const attempts: number[] = [];
  for (const expected of [1, 2, 3]) {
    const bus = nsqBus(t, [nsqd.tcpAddress]);
    await until(() => bus.connected, 'a connection');
    if (expected === 1) assert.ok((await bus.publish(TOPIC, some(1))).ok);
    bus.subscribe(TOPIC, (message) => attempts.push(message.attempts), { maxInFlight: 10 });
    await until(() => attempts.length === expected, `delivery ${expected}`);
    await bus.close();
  }
  assert.deepEqual(attempts, [1, 2, 3]);
});

test('with more nsqds than messages allowed, every nsqd has its turn', { skip }, async (t) => {
  const all = await nsqds(t, 3);
  const addresses = all.map(({ tcpAddress }) => tcpAddress);
  for (const [at, address] of addresses.entries()) {
    const publisher = nsqBus(t, [address]);
    await until(() => publisher.connected, 'a connection');
    assert.ok((await publisher.publish(TOPIC, some(2, `n${at}-`))).ok);
  }
  const seen = drain(nsqBus(t, addresses), 1);
  await until(() => seen.size === 6, 'the messages of all three');
});

test('a message that nsqd refuses is told from those that share its connection', { skip }, async (t) => {
  const all = await nsqds(t, 2, { maxMsgSizeBytes: 1_000 });
  const publisher = nsqBus(
    t,
    all.map(({ tcpAddress }) => tcpAddress),
  );
  await until(() => publisher.connected, 'a connection');
  const results = await Promise.all([
    publisher.publish(TOPIC, some(2)),
    publisher.publish(TOPIC, [Buffer.alloc(1_001)]),
    publisher.publish(TOPIC, some(2)),
  ]);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.error)),
    ['ok', 'bad-size', 'ok'],
  );
  assert.equal(publisher.counts.outstanding, 0);
});

test('a publish larger than one MPUB is cut, and done when all of it is', { skip }, async (t) => {
  const [nsqd] = (await nsqds(t, 1)) as [Nsqd];
  const bus = nsqBus(t, [nsqd.tcpAddress], {
    timings: { responseTimeoutMs: 20_000, publishTimeoutMs: 60_000 },
  });
  const seen = drain(bus, 2_000);
  await until(() => bus.connected, 'a connection');
  const bodies = Array.from({ length: 20 }, (_, i) => Buffer.alloc(NSQ_BODY_BYTES_MAX / 10, `${i % 10}`));
  for (const [at, body] of bodies.entries()) body.write(`body ${at}.`);
  assert.ok((await bus.publish(TOPIC, [...bodies, ...some(2_500)])).ok);
  await until(() => seen.size === 2_520, 'everything');
});

test('what is not nsqd is left alone, again and again, and harms nothing', { skip }, async (t) => {
  const sockets = new Set<Socket>();
  let connections = 0;
  const huge = Buffer.alloc(17 * 1_048_576);
  huge.writeInt32BE(0x7fff_fff0);
  const greetings = [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), Buffer.alloc(64, 0), huge];
  // A well-formed answer that is not one of nsqd.
  greetings.push(Buffer.concat([Buffer.from([0, 0, 0, 9, 0, 0, 0, 0]), Buffer.from('{nope')]));
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.write(greetings[connections++ % greetings.length] as Buffer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as { port: number };
  const [nsqd] = (await nsqds(t, 1)) as [Nsqd];
  const bus = nsqBus(t, [`127.0.0.1:${port}`, nsqd.tcpAddress], { timings: { heartbeatMs: 1_000 } });
  const seen = drain(bus);
  await until(() => connections >= 2 * greetings.length, 'connections to the stranger');
  assert.ok((await bus.publish(TOPIC, some(1))).ok);
  await until(() => seen.size === 1, 'the message');
});
