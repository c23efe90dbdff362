// The admin server through a real port: routes, the order of refusals, limits, deadlines and its stop.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { ADMIN_BODY_BYTES_MAX } from '../core/limits.js';
import { err, ok } from '../core/result.js';
import type { AdminRoute } from './admin-routes.js';
import { type AdminServer, createAdminServer } from './admin-server.js';
import { json, malformed } from './responses.js';

const logger = pino({ level: 'silent' });
const release: (() => void)[] = [];
const routes: AdminRoute[] = [
  { method: 'GET', path: '/open', access: 'none', handler: () => json({ open: true }) },
  {
    method: 'GET',
    path: '/things/:id',
    access: 'admin',
    handler: (request) =>
      json({ id: request.params['id'], q: request.query.get('q'), subject: request.subject }),
  },
  { method: 'GET', path: '/things/special', access: 'admin', handler: () => json({ special: true }) },
  {
    method: 'POST',
    path: '/things/:id',
    access: 'admin',
    contentTypes: ['application/json', 'text/csv'],
    bodyBytesMax: 1_000_000,
    handler: (request) => json({ bytes: request.body.length, type: request.contentType }, 201),
  },
  {
    method: 'POST',
    path: '/action',
    access: 'admin',
    handler: (request) => json({ bytes: request.body.length }),
  },
  {
    method: 'GET',
    path: '/throws',
    access: 'none',
    handler: () => Promise.reject(new Error('inner secret')),
  },
  { method: 'GET', path: '/bad', access: 'none', handler: () => malformed('No.', '/a') },
  {
    method: 'GET',
    path: '/late',
    access: 'none',
    deadlineMs: 50,
    handler: () => new Promise(() => undefined),
  },
  {
    method: 'GET',
    path: '/waits',
    access: 'none',
    handler: () => new Promise((resolve) => release.push(() => resolve(json({ waited: true })))),
  },
];

let server: AdminServer;
let url: string;

async function start(): Promise<AdminServer> {
  const started = await createAdminServer({
    host: '127.0.0.1',
    port: 0,
    authorize: (token) => {
      if (token === 'good') return ok('ops');
      return err(token === 'weak' ? 'forbidden' : 'unauthenticated');
    },
    routes,
    logger,
  });
  assert.ok(started.ok);
  return started.value;
}

before(async () => {
  server = await start();
  url = `http://127.0.0.1:${server.port}`;
});
after(() => server.close());

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function problemOf(response: Response): Promise<Record<string, unknown>> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const body = (await response.json()) as Record<string, unknown>;
  assert.equal(body['status'], response.status);
  assert.equal(body['type'], `/problems/${String(body['code'])}`);
  return body;
}

test('a route answers with its params decoded, its query and the subject of the token', async () => {
  const response = await fetch(`${url}/things/a%20b?q=1`, { headers: bearer('good') });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.deepEqual(await response.json(), { id: 'a b', q: '1', subject: 'ops' });
});

test('a literal segment wins over a variable one', async () => {
  const response = await fetch(`${url}/things/special`, { headers: bearer('good') });
  assert.deepEqual(await response.json(), { special: true });
});

const table: readonly [name: string, path: string, init: RequestInit, status: number, code: string][] = [
  ['an unknown path', '/nowhere', {}, 404, 'not-found'],
  ['an empty variable segment', '/things/', { headers: bearer('good') }, 404, 'not-found'],
  ['a malformed escape', '/things/%zz', { headers: bearer('good') }, 404, 'not-found'],
  ['404 before 401', '/nowhere', { headers: bearer('none') }, 404, 'not-found'],
  ['the wrong method', '/open', { method: 'POST' }, 405, 'method-not-allowed'],
  ['405 before 401', '/things/1', { method: 'DELETE' }, 405, 'method-not-allowed'],
  [
    'a body that announces too much',
    '/action',
    { method: 'POST', body: 'x'.repeat(ADMIN_BODY_BYTES_MAX + 1), headers: bearer('good') },
    413,
    'body-too-large',
  ],
  [
    '413 before 415 and 401',
    '/things/1',
    { method: 'POST', body: 'x'.repeat(1_000_001) },
    413,
    'body-too-large',
  ],
  [
    'no content type',
    '/things/1',
    { method: 'POST', headers: bearer('good') },
    415,
    'unsupported-media-type',
  ],
  ['415 before 401', '/things/1', { method: 'POST', body: 'x' }, 415, 'unsupported-media-type'],
  ['no token', '/things/1', {}, 401, 'unauthenticated'],
  [
    'a token of another scheme',
    '/things/1',
    { headers: { authorization: 'Basic good' } },
    401,
    'unauthenticated',
  ],
  ['a token that is not valid', '/things/1', { headers: bearer('bad') }, 401, 'unauthenticated'],
  ['a token without the scope', '/things/1', { headers: bearer('weak') }, 403, 'forbidden'],
  ['a handler that refuses', '/bad', {}, 400, 'malformed-request'],
  ['a handler that fails', '/throws', {}, 500, 'internal'],
  ['a handler that is too late', '/late', {}, 503, 'overloaded'],
];

for (const [name, path, init, status, code] of table) {
  test(`${name}: ${status} ${code}`, async () => {
    const response = await fetch(url + path, init);
    assert.equal(response.status, status);
    const body = await problemOf(response);
    assert.equal(body['code'], code);
    assert.ok(!JSON.stringify(body).includes('inner secret'));
    if (status === 401) assert.equal(response.headers.get('www-authenticate'), 'Bearer');
    if (status === 403) assert.match(response.headers.get('www-authenticate') ?? '', /insufficient_scope/);
    if (status === 413) assert.equal(response.headers.get('connection'), 'close');
    if (status === 503) assert.ok(Number.parseInt(response.headers.get('retry-after') ?? '', 10) >= 1);
    if (code === 'malformed-request') assert.equal(body['pointer'], '/a');
  });
}

test('405 lists the methods that work', async () => {
  const response = await fetch(`${url}/things/1`, { method: 'PUT' });
  assert.equal(response.headers.get('allow'), 'GET, HEAD, POST');
});

test('HEAD is GET without the body', async () => {
  const get = await fetch(`${url}/open`);
  const head = await fetch(`${url}/open`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), String((await get.text()).length));
  assert.equal(await head.text(), '');
});

test('the scheme of the token is read in any case, and a content type without its parameters', async () => {
  const response = await fetch(`${url}/things/1`, {
    method: 'POST',
    body: 'a,b',
    headers: { authorization: 'bearer good', 'content-type': 'Text/CSV; charset=utf-8' },
  });
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { bytes: 3, type: 'text/csv' });
});

test('a body in chunks arrives whole up to the limit and is refused past it', async () => {
  const body = (bytes: number): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < bytes; sent += 10_000) {
          controller.enqueue(new Uint8Array(Math.min(10_000, bytes - sent)).fill(97));
        }
        controller.close();
      },
    });
  const send = (bytes: number): Promise<Response> =>
    fetch(`${url}/things/1`, {
      method: 'POST',
      body: body(bytes),
      duplex: 'half',
      headers: { ...bearer('good'), 'content-type': 'text/csv' },
    } as RequestInit);
  const whole = await send(1_000_000);
  assert.deepEqual(await whole.json(), { bytes: 1_000_000, type: 'text/csv' });
  // The server hangs up while the rest is on its way, so a client may see either the answer or the reset.
  const outcome = await send(1_000_001).then(
    (response) => response.status,
    () => 'reset',
  );
  assert.ok(outcome === 413 || outcome === 'reset', String(outcome));
});

test('a port in use is a failure that names it, not a second listener', async () => {
  const second = await createAdminServer({
    host: '127.0.0.1',
    port: server.port,
    authorize: () => ok('ops'),
    routes,
    logger,
  });
  assert.ok(!second.ok);
  assert.match(second.error, new RegExp(String(server.port)));
});

test('a client that goes away while its request is in work harms nobody', async () => {
  const asked = release.length;
  const socket = connect(server.port, '127.0.0.1');
  socket.write('GET /waits HTTP/1.1\r\nHost: x\r\n\r\n');
  while (release.length === asked) await new Promise(setImmediate);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await closed;
  for (const finish of release.splice(asked)) finish();
  assert.equal((await fetch(`${url}/open`)).status, 200);
});

test('close waits for the request in work, and takes no new connections', async () => {
  const stopping = await start();
  const asked = release.length;
  const waiting = fetch(`http://127.0.0.1:${stopping.port}/waits`);
  while (release.length === asked) await new Promise(setImmediate);
  const closed = stopping.close();
  await assert.rejects(fetch(`http://127.0.0.1:${stopping.port}/open`));
  for (const finish of release.splice(asked)) finish();
  assert.deepEqual(await (await waiting).json(), { waited: true });
  await closed;
});
