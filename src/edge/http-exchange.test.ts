// An answer to a reader that is slow: it arrives whole, and nothing is kept behind it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { listenExclusive } from '../http/listen.js';
import { uWS } from '../http/uws.js';
import { guarded } from './http-exchange.js';

/** More than the buffers of a socket hold. */
const BODY_BYTES = 32 * 1_048_576;

describe('answers to a slow reader', () => {
  const app = uWS.App();
  let port = 0;
  let asked = 0;
  let whenAsked: (() => void) | null = null;

  before(async () => {
    const onError = (error: unknown): void => assert.fail(String(error));
    app.get(
      '/large',
      guarded((exchange) => {
        const body = new Uint8Array(BODY_BYTES);
        for (let i = 0; i < BODY_BYTES; i += 4_096) body[i] = (i / 4_096) & 0xff;
        exchange.send('200 OK', body);
        // As the memory of a batch is used again when its answers have been handed out.
        body.fill(0xff);
        asked++;
        whenAsked?.();
      }, onError),
    );
    const listening = await listenExclusive(app, '127.0.0.1', 0);
    assert.ok(listening !== null);
    ({ port } = listening);
  });

  after(() => app.close());

  async function ask(): Promise<import('node:net').Socket> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    socket.pause();
    const answered = new Promise<void>((resolve) => {
      whenAsked = resolve;
    });
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
    await answered;
    return socket;
  }

  test('the answer is whole when the reader gets to it', { timeout: 30_000 }, async () => {
    const socket = await ask();
    const parts: Buffer[] = [];
    let bytes = 0;
    let headBytes = 0;
    for await (const part of socket as AsyncIterable<Buffer>) {
      if (headBytes === 0) headBytes = part.indexOf('\r\n\r\n') + 4;
      parts.push(part);
      bytes += part.length;
      if (bytes >= headBytes + BODY_BYTES) break;
    }
    const body = Buffer.concat(parts).subarray(headBytes);
    assert.equal(body.length, BODY_BYTES);
    for (let i = 0; i < BODY_BYTES; i += 4_096) {
      if (body[i] !== ((i / 4_096) & 0xff)) assert.fail(`byte ${i} is another`);
    }
  });

  test('a request behind an answer that waits ends the connection', { timeout: 30_000 }, async () => {
    const before = asked;
    const socket = await ask();
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.resume();
    await closed;
    assert.equal(asked, before + 1, 'it was not answered');
  });
});
