// The cache of balances through the admin port: one and many, all or nothing, what is wrong named.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { INVESTOR_LINES_MAX } from '../core/limits.js';
import { cache, call, outcome, useAdminPort, world } from './fake-admin-port.js';

useAdminPort();

describe('investors', () => {
  test('one is put and read back, whatever visible ASCII names it', async () => {
    const line = { balance: 150_000, currency: 'GBP', eligible: true };
    for (const investor of ['alice', 'a/b?c%d#e', 'x'.repeat(128)]) {
      const path = `/admin/v1/investors/${encodeURIComponent(investor)}`;
      const put = await call('PUT', path, line);
      assert.deepEqual([put.status, put.json], [200, { investor, ...line }]);
      assert.deepEqual((await call('GET', path)).json, { investor, ...line });
    }
    assert.deepEqual(outcome(await call('GET', '/admin/v1/investors/bob')), [404, 'investor-not-found']);
    assert.deepEqual(outcome(await call('PUT', '/admin/v1/investors/a%20b', line)), [
      400,
      'malformed-request',
    ]);
  });

  test('a wrong member of one is pointed at', async () => {
    const line = { balance: 1, currency: 'GBP', eligible: true };
    for (const [change, pointer] of [
      [{ balance: -1 }, '/balance'],
      [{ balance: 1.5 }, '/balance'],
      [{ currency: 'XYZ' }, '/currency'],
      [{ eligible: 'yes' }, '/eligible'],
      [{ name: 'Alice' }, '/name'],
    ] as const) {
      const answer = await call('PUT', '/admin/v1/investors/alice', { ...line, ...change });
      assert.deepEqual([...outcome(answer), answer.json.pointer], [400, 'malformed-request', pointer]);
    }
  });

  test('many at once as CSV and as NDJSON', async () => {
    const csv = 'investor,balance,currency,eligible\nc1,100,GBP,true\nc2,0,EUR,false\n';
    const first = await call('POST', '/admin/v1/investors', csv, {
      'Content-Type': 'text/csv; charset=utf-8',
    });
    assert.deepEqual([first.status, first.json], [200, { investors: 2 }]);
    assert.deepEqual(cache.get('c2'), { investor: 'c2', balance: 0, currency: 'EUR', eligible: false });
    const ndjson = '{"investor":"n1","balance":7,"currency":"GBP","eligible":true}\n';
    const second = await call('POST', '/admin/v1/investors', ndjson, {
      'Content-Type': 'application/x-ndjson',
    });
    assert.deepEqual([second.status, second.json], [200, { investors: 1 }]);
    assert.equal(cache.get('n1')?.balance, 7);
  });

  test('bad lines are named by number and nothing is taken', async () => {
    const csv = 'b1,100,GBP,true\nb2,1.5,GBP,true\nb3,1,GBP,true\nb4,1,GBP,maybe\n';
    const answer = await call('POST', '/admin/v1/investors', csv, { 'Content-Type': 'text/csv' });
    assert.deepEqual(outcome(answer), [400, 'malformed-request']);
    assert.deepEqual(
      answer.json.badLines.map((bad: { line: number }) => bad.line),
      [2, 4],
    );
    assert.equal(answer.json.badLineCount, 2);
    assert.match(answer.json.detail, /line 2, 4/);
    assert.ok(!cache.has('b1') && !cache.has('b3'));
  });

  test('too many lines are 413, other types 415, nothing 400, and a cache that can not is told', async () => {
    const types = { 'Content-Type': 'text/csv' };
    const many = Array.from({ length: INVESTOR_LINES_MAX + 1 }, (_, i) => `m${i},1,GBP,true`).join('\n');
    assert.deepEqual(outcome(await call('POST', '/admin/v1/investors', many, types)), [
      413,
      'body-too-large',
    ]);
    assert.ok(!cache.has('m0'));
    assert.deepEqual(outcome(await call('POST', '/admin/v1/investors', '\n', types)), [
      400,
      'malformed-request',
    ]);
    assert.deepEqual(outcome(await call('POST', '/admin/v1/investors', {})), [415, 'unsupported-media-type']);
    world.putRefusal = { code: 'not-durable', retryAfterS: 1 };
    const refused = await call('POST', '/admin/v1/investors', 'z,1,GBP,true', types);
    world.putRefusal = null;
    assert.deepEqual([...outcome(refused), refused.headers.get('retry-after')], [503, 'not-durable', '1']);
  });
});
