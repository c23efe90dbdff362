// What the ledger's admin port refuses, with which problem, and that nothing changes by it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newDirectory } from './books-bench.js';
import { call, csv, post, start, token, transfer } from './ledger-bench.js';

const refusals: readonly [
  name: string,
  path: string,
  init: RequestInit,
  status: number,
  code: string,
  members?: Record<string, unknown>,
][] = [
  [
    'a transfer id with another body',
    '/admin/v1/transfers',
    transfer({ amount: 6 }),
    409,
    'transfer-conflict',
  ],
  [
    'more than there is',
    '/admin/v1/transfers',
    transfer({ id: 't2', from: 'investor:alice', to: 'external', amount: 999 }),
    422,
    'insufficient-balance',
  ],
  [
    'an unknown account',
    '/admin/v1/transfers',
    transfer({ id: 't2', to: 'investor:x' }),
    404,
    'account-not-found',
  ],
  [
    'another currency',
    '/admin/v1/transfers',
    transfer({ id: 't2', currency: 'EUR' }),
    422,
    'currency-mismatch',
  ],
  [
    'a float',
    '/admin/v1/transfers',
    transfer({ amount: 0.5 }),
    400,
    'malformed-request',
    { pointer: '/amount' },
  ],
  [
    'nothing',
    '/admin/v1/transfers',
    transfer({ amount: 0 }),
    400,
    'malformed-request',
    { pointer: '/amount' },
  ],
  [
    'no account name',
    '/admin/v1/transfers',
    transfer({ from: 'alice' }),
    400,
    'malformed-request',
    { pointer: '/from' },
  ],
  [
    'to itself',
    '/admin/v1/transfers',
    transfer({ from: 'investor:alice' }),
    400,
    'malformed-request',
    { pointer: '/to' },
  ],
  [
    'an extra member',
    '/admin/v1/transfers',
    transfer({ note: 'x' }),
    400,
    'malformed-request',
    { pointer: '/note' },
  ],
  [
    'no JSON',
    '/admin/v1/transfers',
    post('application/json', '{'),
    400,
    'malformed-request',
    { pointer: '' },
  ],
  [
    'a long id',
    '/admin/v1/transfers',
    transfer({ id: 'x'.repeat(41) }),
    400,
    'malformed-request',
    { pointer: '/id' },
  ],
  ['CSV for a transfer', '/admin/v1/transfers', csv('x'), 415, 'unsupported-media-type'],
  ['JSON for accounts', '/admin/v1/accounts', post('application/json', '{}'), 415, 'unsupported-media-type'],
  [
    'a bad line',
    '/admin/v1/accounts',
    csv('carol,1,GBP,true', 'dave,x,GBP,true'),
    400,
    'malformed-request',
    { badLineCount: 1 },
  ],
  [
    'bytes that are not UTF-8',
    '/admin/v1/accounts',
    {
      method: 'POST',
      body: new Uint8Array([0xff, 0xfe]),
      headers: { 'content-type': 'text/csv' },
    },
    400,
    'malformed-request',
  ],
  ['an account that is not there', '/admin/v1/accounts/nobody', {}, 404, 'account-not-found'],
  ['a bad cursor', '/admin/v1/outcomes?after=x', {}, 400, 'malformed-request'],
  ['a bad limit', '/admin/v1/outcomes?limit=0', {}, 400, 'malformed-request'],
  ['a bad flag', '/admin/v1/summary?verify=maybe', {}, 400, 'malformed-request'],
  ['an unknown path', '/admin/v1/nothing', {}, 404, 'not-found'],
  ['a wrong method', '/admin/v1/summary', { method: 'POST' }, 405, 'method-not-allowed'],
];

test('what is refused changes nothing', async (t) => {
  const ledger = await start(t, newDirectory(t));
  await call(ledger, '/admin/v1/accounts', csv('alice,10,GBP,true'));
  await call(ledger, '/admin/v1/transfers', transfer());
  const { body: before } = await call(ledger, '/admin/v1/summary?verify=true');
  for (const [name, path, init, status, code, members] of refusals) {
    await t.test(`${name}: ${status} ${code}`, async () => {
      const answer = await call(ledger, path, init);
      assert.deepEqual([answer.status, answer.body['code']], [status, code]);
      for (const [member, value] of Object.entries(members ?? {}))
        assert.deepEqual(answer.body[member], value);
    });
  }
  for (const path of ['/admin/v1/summary', '/admin/v1/accounts/alice', '/admin/v1/outcomes']) {
    await t.test(`${path} needs a token with the scope`, async () => {
      assert.equal((await call(ledger, path, {}, '')).status, 401);
      assert.equal((await call(ledger, path, {}, token('other:scope'))).status, 403);
    });
  }
  assert.deepEqual((await call(ledger, '/admin/v1/summary?verify=true')).body, before);
});
