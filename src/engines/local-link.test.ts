// The embedded link in use: order, windows, failures, reconnects, and who may open the socket.

import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { LINK_MESSAGE_BYTES_MAX, LINK_QUEUE_MESSAGES_MAX, LINK_WINDOW_MESSAGES } from '../core/limits.js';
import type { Message } from './bus.js';
import {
  bodies,
  collect,
  connection,
  dial,
  ended,
  listen,
  newPath,
  pair,
  TOPIC,
  text,
} from './link-bench.js';
import { helloFrame, publishFrame } from './link-frames.js';
import { linkSocketPath } from './link-path.js';

/** A topic whose messages are finished at once. */
const ECHO = 'an.echo';

test('messages arrive in order, both ways, and a publish is done when all of it is finished', async (t) => {
  const [server, client] = await pair(t);
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    const { messages, all } = collect(to, 3);
    to.subscribe(ECHO, (message) => message.finish(), { maxInFlight: 1 });
    let done = false;
    const published = from.publish(TOPIC, bodies(3)).then((result) => {
      done = true;
      return result;
    });
    await all;
    assert.deepEqual(messages.map(text), ['m0', 'm1', 'm2']);
    messages[0]?.finish();
    messages[2]?.finish();
    // A later confirmation on the same connection: the earlier ones have arrived by now.
    await from.publish(ECHO, bodies(1));
    assert.equal(done, false);
    messages[1]?.finish();
    assert.deepEqual(await published, { ok: true, value: undefined });
  }
});

test('more messages than the window flow as the consumer finishes them, never more than it asked for', async (t) => {
  const [server, client] = await pair(t);
  const total = 3 * LINK_WINDOW_MESSAGES;
  let inFlight = 0;
  let inFlightMax = 0;
  const seen: string[] = [];
  server.subscribe(
    TOPIC,
    (message) => {
      inFlightMax = Math.max(inFlightMax, ++inFlight);
      seen.push(text(message));
      setImmediate(() => {
        inFlight--;
        message.finish();
      });
    },
    { maxInFlight: 7 },
  );
  assert.deepEqual(await client.publish(TOPIC, bodies(total)), { ok: true, value: undefined });
  assert.deepEqual(
    seen,
    bodies(total).map((body) => body.toString()),
  );
  assert.equal(inFlightMax, 7);
});

test('a requeued message comes again and holds its publish open until it is finished', async (t) => {
  const [server, client] = await pair(t);
  const attempts: number[] = [];
  server.subscribe(
    TOPIC,
    (message) => {
      attempts.push(message.attempts);
      if (attempts.length < 3) message.requeue(1);
      else message.finish();
      // The end of a message is final.
      message.requeue(1);
      message.finish();
    },
    { maxInFlight: 1 },
  );
  assert.ok((await client.publish(TOPIC, bodies(1))).ok);
  assert.deepEqual(attempts, [1, 2, 3]);
});

test('without the other side, without a subscription, or with a bad size a publish fails at once', async (t) => {
  const path = newPath(t);
  const client = dial(t, path);
  assert.deepEqual(await client.publish(TOPIC, bodies(1)), { ok: false, error: 'unreachable' });
  await listen(t, path);
  await connection(client, true);
  assert.deepEqual(await client.publish(TOPIC, bodies(1)), { ok: false, error: 'unreachable' });
  assert.deepEqual(await client.publish(TOPIC, [new Uint8Array(0)]), { ok: false, error: 'bad-size' });
  const tooLarge = new Uint8Array(LINK_MESSAGE_BYTES_MAX + 1);
  assert.deepEqual(await client.publish(TOPIC, [tooLarge]), { ok: false, error: 'bad-size' });
  assert.ok((await client.publish(TOPIC, [])).ok);
});

test('the largest messages fit, many of them in several frames', async (t) => {
  const [server, client] = await pair(t);
  let bytes = 0;
  server.subscribe(
    TOPIC,
    (message) => {
      bytes += message.body.length;
      message.finish();
    },
    { maxInFlight: 10 },
  );
  const large = Array.from({ length: 100 }, () => new Uint8Array(LINK_MESSAGE_BYTES_MAX).fill(1));
  assert.ok((await client.publish(TOPIC, large)).ok);
  assert.equal(bytes, 100 * LINK_MESSAGE_BYTES_MAX);
});

test('behind a consumer that finishes nothing, publishes wait, time out unsent, and overflow', async (t) => {
  const [server, client] = await pair(t, { publishTimeoutMs: 20 });
  const { messages, all } = collect(server, LINK_WINDOW_MESSAGES);
  const window = client.publish(TOPIC, bodies(LINK_WINDOW_MESSAGES));
  await all;
  assert.deepEqual(await client.publish(TOPIC, bodies(1)), { ok: false, error: 'timeout' });
  const waiting = client.publish(TOPIC, bodies(LINK_QUEUE_MESSAGES_MAX));
  assert.deepEqual(await client.publish(TOPIC, bodies(1)), { ok: false, error: 'overloaded' });
  assert.deepEqual(await waiting, { ok: false, error: 'timeout' });
  for (const message of messages) message.finish();
  assert.ok((await window).ok);
  // Nothing that timed out was ever sent, and there is room again.
  assert.equal(messages.length, LINK_WINDOW_MESSAGES);
  const next = client.publish(TOPIC, bodies(1));
  while (messages.length === LINK_WINDOW_MESSAGES) await new Promise(setImmediate);
  messages.at(-1)?.finish();
  assert.ok((await next).ok);
});

test('when a side goes away its publishes fail, and both find each other again', async (t) => {
  const path = newPath(t);
  const first = await listen(t, path);
  const client = dial(t, path);
  await connection(client, true);
  const { messages, all } = collect(first, 2);
  const published = client.publish(TOPIC, bodies(2));
  await all;
  const gone = connection(client, false);
  await first.close();
  assert.deepEqual(await published, { ok: false, error: 'unreachable' });
  await gone;
  const second = await listen(t, path);
  await connection(client, true);
  const again = collect(second, 2);
  const republished = client.publish(TOPIC, bodies(2));
  await again.all;
  // The end of a delivery of an earlier connection touches nothing of this one.
  messages[0]?.finish();
  messages[1]?.requeue(0);
  for (const message of again.messages) message.finish();
  assert.ok((await republished).ok);
  assert.deepEqual(
    again.messages.map((message) => message.attempts),
    [1, 1],
  );
});

test('the end of a delivery of an edge that died does not touch the same id of the next one', async (t) => {
  const path = newPath(t);
  const server = await listen(t, path);
  const { messages, all } = collect(server, 2);
  const hang = async (): Promise<Socket> => {
    const socket = connect(path);
    socket.write(Buffer.concat([helloFrame(), publishFrame(TOPIC, 0, bodies(1))]));
    await connection(server, true);
    return socket;
  };
  const first = await hang();
  first.destroy();
  await connection(server, false);
  const second = await hang();
  await all;
  messages[0]?.finish();
  // Still unfinished there, so to use the id once more is against the rules.
  second.write(publishFrame(TOPIC, 0, bodies(1)));
  await ended(second);
  assert.equal(messages.length, 2);
});

test('a subscription that is closed refuses what it has not delivered; what it has may be finished', async (t) => {
  const [server, client] = await pair(t);
  const delivered: Message[] = [];
  let arrived = (): void => undefined;
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const subscription = server.subscribe(
    TOPIC,
    (message) => {
      delivered.push(message);
      arrived();
    },
    { maxInFlight: 1 },
  );
  const one = client.publish(TOPIC, bodies(1));
  const other = client.publish(TOPIC, bodies(1));
  await first;
  // Confirmed after it: so the other one has arrived too.
  server.subscribe(ECHO, (message) => message.finish(), { maxInFlight: 1 });
  await client.publish(ECHO, bodies(1));
  subscription.close();
  assert.deepEqual(await other, { ok: false, error: 'unreachable' });
  delivered[0]?.finish();
  assert.ok((await one).ok);
  assert.equal(delivered.length, 1);
});

test('close fails what is outstanding and what comes after', async (t) => {
  const [server, client] = await pair(t);
  const { all } = collect(server, 1);
  const outstanding = client.publish(TOPIC, bodies(1));
  await all;
  await client.close();
  assert.deepEqual(await outstanding, { ok: false, error: 'closed' });
  assert.deepEqual(await client.publish(TOPIC, bodies(1)), { ok: false, error: 'closed' });
});

test('a second edge is turned away and the first goes on', async (t) => {
  const path = newPath(t);
  const server = await listen(t, path);
  const first = dial(t, path);
  await connection(first, true);
  const socket = connect(path);
  socket.write(helloFrame());
  await ended(socket);
  server.subscribe(TOPIC, (message) => message.finish(), { maxInFlight: 1 });
  assert.ok((await first.publish(TOPIC, bodies(1))).ok);
});

test('only this user can open the socket, and what a dead process left is replaced', async (t) => {
  const path = newPath(t);
  writeFileSync(path, 'left over');
  const server = await listen(t, path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await server.close();
  assert.equal(existsSync(path), false);
});

test('the path of the socket fits an address, however long the data directory is', (t) => {
  const directory = newPath(t).slice(0, -'/x.sock'.length);
  assert.equal(linkSocketPath(directory), join(directory, 'ledger.sock'));
  const long = join(directory, 'd'.repeat(100));
  assert.ok(linkSocketPath(long).length <= 100);
  assert.equal(linkSocketPath(long), linkSocketPath(long));
  assert.notEqual(linkSocketPath(long), linkSocketPath(`${long}2`));
});
