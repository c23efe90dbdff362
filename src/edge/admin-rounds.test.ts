// Rounds through the admin port: from creation to closing, and each way to be told no.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { call, crowd, outcome, useAdminPort } from './fake-admin-port.js';

useAdminPort();

describe('rounds', () => {
  test('created, read, listed, amended, and moved through its states', async () => {
    const created = await call('POST', '/admin/v1/rounds', crowd);
    assert.equal(created.status, 201);
    assert.equal(created.headers.get('location'), '/admin/v1/rounds/crowd');
    const shown = {
      ...crowd,
      state: 'scheduled',
      admitted: 500_000_000,
      remaining: 1_500_000_000,
      settled: 0,
    };
    for (const [name, value] of Object.entries(shown)) assert.deepEqual(created.json[name], value, name);

    assert.deepEqual((await call('GET', '/admin/v1/rounds/crowd')).json, created.json);
    assert.deepEqual((await call('GET', '/admin/v1/rounds')).json, { rounds: [created.json] });
    assert.deepEqual(outcome(await call('POST', '/admin/v1/rounds', crowd)), [409, 'round-exists']);

    const amended = await call('PATCH', '/admin/v1/rounds/crowd', { cap: 2_400_000_000, name: 'Crowd' });
    assert.deepEqual([amended.status, amended.json.cap, amended.json.name], [200, 2_400_000_000, 'Crowd']);
    assert.deepEqual(outcome(await call('PATCH', '/admin/v1/rounds/crowd', { cap: 1 })), [422, 'cap-below']);

    for (const [action, status, state] of [
      ['pause', 409, 'wrong-state'],
      ['open', 200, 'open'],
      ['pause', 200, 'paused'],
      ['resume', 200, 'open'],
      ['close', 200, 'closed'],
      ['open', 409, 'wrong-state'],
    ] as const) {
      const answer = await call('POST', `/admin/v1/rounds/crowd/${action}`);
      assert.deepEqual([answer.status, answer.json.code ?? answer.json.state], [status, state], action);
    }
  });

  test('a body that is not right is named', async () => {
    const wrong = await call('POST', '/admin/v1/rounds', { ...crowd, id: 'other', cap: '5' });
    assert.deepEqual([...outcome(wrong), wrong.json.pointer], [400, 'malformed-request', '/cap']);
    const headers = { 'Content-Type': 'application/json' };
    assert.deepEqual(outcome(await call('POST', '/admin/v1/rounds', '{', headers)), [
      400,
      'malformed-request',
    ]);
    const text = await call('POST', '/admin/v1/rounds', '{}', { 'Content-Type': 'text/plain' });
    assert.deepEqual(outcome(text), [415, 'unsupported-media-type']);
  });

  test('an unknown round is 404 whatever is asked', async () => {
    for (const answer of [
      await call('GET', '/admin/v1/rounds/none'),
      await call('PATCH', '/admin/v1/rounds/none', {}),
      await call('POST', '/admin/v1/rounds/none/open'),
    ]) {
      assert.deepEqual(outcome(answer), [404, 'round-not-found']);
    }
  });
});
