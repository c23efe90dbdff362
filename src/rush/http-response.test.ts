// Responses cut into pieces at every place, and bytes that are none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RUSH_RESPONSE_BYTES_MAX } from '../core/limits.js';
import { ResponseParser } from './http-response.js';

const WHOLE =
  'HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nIdempotency-Replayed: true\r\n' +
  'Retry-After: 3\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED =
  'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nContent-Type: application/msgpack\r\n\r\n' +
  '3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n';

/** Pushes the text in pieces of this size, each in the same buffer, as a socket with its own read buffer does. */
function pushInPieces(text: string, size: number): ReturnType<ResponseParser['push']> {
  const parser = new ResponseParser();
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < text.length; at += size) {
    const bytes = buffer.write(text.slice(at, at + size), 'latin1');
    const response = parser.push(buffer.subarray(0, bytes));
    if (response !== null) return response;
  }
  return null;
}

test('a response is the same however it is cut into pieces', () => {
  for (let size = 1; size <= WHOLE.length; size++) {
    const response = pushInPieces(WHOLE, size);
    assert(response !== null && response !== 'malformed');
    assert.equal(response.status, 409);
    assert.equal(response.body.toString(), 'hello');
    assert.deepEqual(
      [response.replayed, response.retryAfterS, response.close, response.msgpack],
      [true, 3, false, false],
    );
  }
});

test('a chunked body is put together however it is cut into pieces', () => {
  for (let size = 1; size <= CHUNKED.length; size++) {
    const response = pushInPieces(CHUNKED, size);
    assert(response !== null && response !== 'malformed');
    assert.equal(response.body.toString(), 'hello');
    assert.equal(response.msgpack, true);
  }
});

test('one parser reads one response after the other', () => {
  const parser = new ResponseParser();
  for (let i = 0; i < 3; i++) {
    const response = parser.push(Buffer.from(WHOLE));
    assert(response !== null && response !== 'malformed');
    assert.equal(response.status, 409);
  }
});

test('what is not one whole response is malformed, never waited for without end', () => {
  for (const text of [
    'HTTP/1.0 200 OK\r\n\r\n',
    'SSH-2.0-x\r\n\r\n',
    'HTTP/1.1 abc\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\n',
    `${WHOLE}HTTP/1.1 200 OK\r\n`,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  ]) {
    assert.equal(new ResponseParser().push(Buffer.from(text)), 'malformed', text);
  }
  assert.equal(new ResponseParser().push(Buffer.alloc(RUSH_RESPONSE_BYTES_MAX + 1, 120)), 'malformed');
});
