// What a client and the node agree on before anything else: media types, subprotocols, origins, bearer tokens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseProtocol, originAllowed } from './live.js';
import { acceptedEncoding, encodingOf } from './media-types.js';
import { bearerToken } from './public-routes.js';

test('Content-Type: ours with any parameters, nothing else', () => {
  for (const type of [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    ' application/json ;x',
  ])
    assert.equal(encodingOf(type), 'json');
  for (const type of ['application/msgpack', 'APPLICATION/MSGPACK;v=1'])
    assert.equal(encodingOf(type), 'msgpack');
  for (const type of [
    '',
    'text/plain',
    'application/jsonx',
    'application/x-msgpack',
    'application/json, application/msgpack',
    '*/*',
  ])
    assert.equal(encodingOf(type), null, type);
});

test('Accept: the one of ours that weighs most, named before meant, first before second, else what was sent', () => {
  const cases = [
    ['', 'msgpack', 'msgpack'],
    ['*/*', 'msgpack', 'msgpack'],
    ['text/html', 'json', 'json'],
    ['application/msgpack', 'json', 'msgpack'],
    ['application/msgpack, application/json', 'json', 'msgpack'],
    ['application/json;q=0.5, application/msgpack;q=0.50', 'msgpack', 'json'],
    ['text/html, application/json;q=0.5, application/msgpack', 'json', 'msgpack'],
    ['application/json; Q=0.4 , application/msgpack;q=0.399', 'msgpack', 'json'],
    ['application/json, text/plain, */*', 'msgpack', 'json'],
    ['text/html, */*;q=0.8', 'msgpack', 'msgpack'],
    ['application/json;q=0.1, application/*', 'json', 'msgpack'],
    ['application/json;q=0, application/msgpack;q=0', 'json', 'json'],
    ['application/json;q=0, application/msgpack', 'json', 'msgpack'],
    ['application/json; q=0.000', 'msgpack', 'msgpack'],
    ['application/msgpack;q=0.1', 'json', 'msgpack'],
  ] as const;
  for (const [accept, sent, expected] of cases)
    assert.equal(acceptedEncoding(accept, sent), expected, accept);
});

test('subprotocol: the first offered that is ours', () => {
  const json = { name: 'openbell.v1+json', msgpack: false };
  assert.deepEqual(chooseProtocol(''), { name: '', msgpack: false });
  assert.deepEqual(chooseProtocol('openbell.v1+json'), json);
  assert.deepEqual(chooseProtocol('chat, openbell.v1+json ,openbell.v1+msgpack'), json);
  assert.deepEqual(chooseProtocol('openbell.v1+msgpack, openbell.v1+json'), {
    name: 'openbell.v1+msgpack',
    msgpack: true,
  });
  for (const none of ['chat', 'openbell.v2+json', 'OPENBELL.V1+JSON', ','])
    assert.equal(chooseProtocol(none), null);
});

test('origins: none, the node itself, or one of the list, exactly', () => {
  const list = ['https://app.example.com'];
  for (const origin of ['', 'https://app.example.com', 'http://node:8080', 'https://node:8080'])
    assert.ok(originAllowed(origin, 'node:8080', list), origin);
  for (const origin of [
    'null',
    'https://app.example.com.evil',
    'https://app.example.com:444',
    'http://app.example.com',
    'http://node',
    'https://evil?node:8080',
  ]) {
    assert.ok(!originAllowed(origin, 'node:8080', list), origin);
  }
});

test('Authorization: the scheme in any case, and no other', () => {
  assert.equal(bearerToken('Bearer   a.b.c'), 'a.b.c');
  for (const header of ['Bearer abc', 'bearer abc', 'BEARER  abc']) assert.equal(bearerToken(header), 'abc');
  for (const header of ['', 'abc', 'Basic abc', 'Bearer', 'BearerX abc'])
    assert.equal(bearerToken(header), '', header);
});
