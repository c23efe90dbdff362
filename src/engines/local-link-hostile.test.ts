// What the embedded link does with peers that break its protocol, say nothing, or hang.

import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { LINK_FRAME_BYTES_MAX, LINK_STRANGERS_MAX, LINK_WINDOW_MESSAGES } from '../core/limits.js';
import {
  bodies,
  collect,
  connection,
  dial,
  ended,
  listen,
  logger,
  newPath,
  TOPIC,
  text,
} from './link-bench.js';
import { beatFrame, helloFrame, idsFrame, publishFrame } from './link-frames.js';
import { connectLocalLink } from './local-link.js';

const oversize = Buffer.alloc(8);
oversize.writeUInt32LE(LINK_FRAME_BYTES_MAX + 1);
const empty = Buffer.alloc(4);
const unknown = Buffer.from([1, 0, 0, 0, 99]);
const stranger = helloFrame();
stranger[10] = 0;
const later = helloFrame();
later[later.length - 1] = 9;
const cut = publishFrame(TOPIC, 0, bodies(1));
cut.writeUInt32LE(cut.readUInt32LE(0) - 1, 0);
const emptyBody = publishFrame(TOPIC, 0, [new Uint8Array(1)]);
emptyBody.writeUInt32LE(0, emptyBody.length - 5);
const hello = helloFrame();
const many = Array.from({ length: LINK_WINDOW_MESSAGES + 1 }, () => new Uint8Array(1));

const hostile: readonly [name: string, bytes: Buffer][] = [
  ['a frame larger than any of ours', oversize],
  ['a frame of no bytes', empty],
  ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a greeting that is not ours', stranger],
  ['a greeting of another version', later],
  ['a message before the greeting', publishFrame(TOPIC, 0, bodies(1))],
  ['a second greeting', Buffer.concat([hello, hello])],
  ['an unknown frame', Buffer.concat([hello, unknown])],
  ['a publish cut short', Buffer.concat([hello, cut.subarray(0, -1)])],
  ['an empty message', Buffer.concat([hello, emptyBody])],
  ['a confirmation of what was never sent', Buffer.concat([hello, idsFrame('finished', [7])])],
  ['more than the window', Buffer.concat([hello, publishFrame(TOPIC, 0, many)])],
  [
    'an id twice',
    Buffer.concat([hello, publishFrame(TOPIC, 5, bodies(1)), publishFrame(TOPIC, 5, bodies(1))]),
  ],
];

for (const [name, bytes] of hostile) {
  test(`hung up on: ${name}`, async (t) => {
    const path = newPath(t);
    const server = await listen(t, path);
    server.subscribe(TOPIC, () => undefined, { maxInFlight: 1 });
    const socket = connect(path);
    socket.write(bytes);
    await ended(socket);
    // And the door is open for the real edge.
    await connection(dial(t, path), true);
  });
}

test('any cut of the byte stream reads the same', async (t) => {
  const path = newPath(t);
  const server = await listen(t, path);
  const { messages, all } = collect(server, 3);
  const socket = connect(path);
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  const stream = Buffer.concat([
    hello,
    publishFrame(TOPIC, 0, bodies(2)),
    beatFrame(),
    publishFrame(TOPIC, 2, bodies(1)),
  ]);
  for (const byte of stream) await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
  await all;
  assert.deepEqual(messages.map(text), ['m0', 'm1', 'm0']);
});

test('connections that say nothing are bounded in number and in time', async (t) => {
  const path = newPath(t);
  await listen(t, path, { heartbeatMs: 20 });
  const silent = Array.from({ length: LINK_STRANGERS_MAX }, () => connect(path));
  const oneMore = connect(path);
  await ended(oneMore);
  await Promise.all(silent.map(ended));
});

test('a ledger that hangs is taken for dead, and its messages with it', async (t) => {
  const path = newPath(t);
  const sockets: Socket[] = [];
  const mute = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(helloFrame());
  });
  await new Promise<void>((resolve) => mute.listen(path, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    mute.close();
  });
  const client = connectLocalLink({ path, logger, heartbeatMs: 10 });
  t.after(() => client.close());
  await connection(client, true);
  assert.deepEqual(await client.publish(TOPIC, bodies(1)), { ok: false, error: 'unreachable' });
});
