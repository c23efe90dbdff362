// The admin port for operators: who may, probes, metrics, status, audit, replay and the page.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { call, crowd, outcome, useAdminPort, world } from './fake-admin-port.js';

useAdminPort();

describe('operations', () => {
  test('every change and every reading of personal data needs a token with the scope, and nothing else does', async () => {
    const guarded: [string, string][] = [
      ['POST', '/admin/v1/rounds'],
      ['PATCH', '/admin/v1/rounds/crowd'],
      ...['open', 'pause', 'resume', 'close'].map((action): [string, string] => [
        'POST',
        `/admin/v1/rounds/crowd/${action}`,
      ]),
      ['PUT', '/admin/v1/investors/alice'],
      ['GET', '/admin/v1/investors/alice'],
      ['POST', '/admin/v1/investors'],
      ['GET', '/admin/v1/audit'],
      ['POST', '/admin/v1/replay'],
    ];
    for (const [method, path] of guarded) {
      const type = method === 'POST' && path.endsWith('investors') ? 'text/csv' : 'application/json';
      const body = method === 'GET' ? undefined : '{}';
      for (const [authorization, status, code] of [
        ['', 401, 'unauthenticated'],
        ['Bearer wrong', 401, 'unauthenticated'],
        ['Bearer investor', 403, 'forbidden'],
      ] as const) {
        const answer = await call(method, path, body, { Authorization: authorization, 'Content-Type': type });
        assert.deepEqual(outcome(answer), [status, code], `${method} ${path} ${authorization}`);
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/);
      }
    }
    for (const path of ['/', '/metrics', '/healthz', '/readyz', '/admin/v1/status', '/admin/v1/rounds']) {
      assert.equal((await call('GET', path, undefined, { Authorization: '' })).status, 200, path);
    }
  });

  test('readyz says which part is not ready', async () => {
    assert.deepEqual((await call('GET', '/readyz')).json.ready, true);
    world.notReady = 'replaying';
    const answer = await call('GET', '/readyz');
    assert.equal((await call('GET', '/healthz')).status, 200);
    world.notReady = null;
    assert.deepEqual(
      [answer.status, answer.json],
      [
        503,
        {
          ready: false,
          parts: [
            { name: 'journal', ready: true },
            { name: 'index', ready: false, detail: 'replaying' },
          ],
        },
      ],
    );
  });

  test('metrics are Prometheus text, with the rounds that there are', async () => {
    await call('POST', '/admin/v1/rounds', crowd);
    const answer = await call('GET', '/metrics');
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(answer.text, /^openbell_round_cap_minor_units\{round="crowd",currency="GBP"\} 2000000000$/m);
  });

  test('status has rounds, rates over a window, queues, outbox, watermark and readiness', async () => {
    world.monotonicMs += 10_000;
    await call('GET', '/admin/v1/status');
    world.responses += 500;
    world.monotonicMs += 999;
    assert.equal((await call('GET', '/admin/v1/status')).json.rates.responsesPerS, 0);
    world.monotonicMs += 1_001;
    const { json } = await call('GET', '/admin/v1/status');
    assert.equal(json.rates.responsesPerS, 250);
    assert.equal(json.rounds[0].id, 'crowd');
    assert.deepEqual(json.queues.shards[1], {
      shard: 1,
      queuedRequests: 6,
      batchesInFlight: 2,
      recentRows: 31,
    });
    assert.deepEqual(
      [json.outbox, json.watermark, json.ready],
      [{ depth: 7, oldestAgeS: 1.5 }, { sequence: 76, ageS: 0.5 }, true],
    );
  });

  test('audits asked for at the same time are one audit', async () => {
    const arrived = world.nextAuthorizations(2);
    const [first, second] = [call('GET', '/admin/v1/audit'), call('GET', '/admin/v1/audit')];
    await arrived;
    world.finishAudit();
    const report = { ok: true, checks: [], differences: [] };
    assert.deepEqual((await first).json, report);
    assert.deepEqual((await second).json, report);
    assert.equal(world.audits, 1);
  });

  test('replay takes dryRun, and nothing else', async () => {
    const dry = await call('POST', '/admin/v1/replay', { dryRun: true });
    assert.deepEqual([dry.status, dry.json], [200, { unconfirmed: 3, published: 0, rows: null }]);
    assert.deepEqual((await call('POST', '/admin/v1/replay')).json, {
      unconfirmed: 3,
      published: 3,
      rows: null,
    });
    assert.deepEqual(world.replays, [true, false]);
    const wrong = await call('POST', '/admin/v1/replay', { dryrun: true });
    assert.deepEqual([...outcome(wrong), wrong.json.pointer], [400, 'malformed-request', '/dryrun']);
    assert.deepEqual(world.replays, [true, false]);
  });

  test('the page is whole in itself and its script parses', async () => {
    const page = await call('GET', '/');
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    assert.doesNotMatch(page.text, /https?:\/\/|innerHTML|\bsrc=/);
    const script = /<script>([\s\S]*)<\/script>/.exec(page.text)?.[1] ?? '';
    assert.doesNotThrow(() => new Function(script));
    for (const [, id] of script.matchAll(/\bat\('(\w+)'\)/g)) assert.ok(page.text.includes(`id="${id}"`), id);
  });

  test('the type of a problem resolves on this port', async () => {
    const { json } = await call('GET', '/admin/v1/rounds/none');
    const page = await call('GET', json.type);
    assert.equal(page.status, 200);
    assert.match(page.text, /Round not found/);
    assert.equal((await call('GET', '/problems/none')).status, 404);
  });
});
