// The contract's table of errors through the real port: each row with its status, members and headers, and the order
// in which they answer.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import {
  adminCall,
  createRound,
  type EdgeProcess,
  importInvestors,
  investorToken,
  startEdgeProcess,
  TEST_JWT_SECRET,
  temporaryDataDir,
} from '../harness/node-process.js';
import { type Answer, call, freshKey, type InvestOptions, invest } from './contract-client.js';

const HOUR_S = 3_600;
const nowS = (): number => Math.floor(Date.now() / 1000);

/** A token with these claims, signed like a good one. */
function signed(
  claims: Record<string, unknown>,
  header: Record<string, unknown> = { alg: 'HS256' },
  secret = TEST_JWT_SECRET,
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function checkProblem(answer: Answer, status: number, code: string): Record<string, unknown> {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  const { type, title, status: told, detail, code: named, ...members } = answer.body;
  assert.deepEqual([type, told, named], [`/problems/${code}`, status, code]);
  assert.ok(typeof title === 'string' && title !== '' && typeof detail === 'string' && detail !== '');
  return members;
}

describe('the table of errors', () => {
  let edge: EdgeProcess;
  let url: string;
  let remove: () => Promise<void>;

  async function change(round: string, action: string): Promise<void> {
    await adminCall(`${edge.adminUrl}/admin/v1/rounds/${round}/${action}`, 'POST');
  }

  async function create(id: string, more: Record<string, unknown> = {}): Promise<void> {
    const settings = {
      name: id,
      currency: 'GBP',
      cap: 1_000_000,
      minimum: 1_000,
      maximum: 200_000,
      unknownBalance: 'refuse',
    };
    const body = { id, ...settings, opensAt: null, closesAt: null, ...more };
    await adminCall(`${edge.adminUrl}/admin/v1/rounds`, 'POST', {
      type: 'application/json',
      text: JSON.stringify(body),
    });
  }

  before(async () => {
    const directory = await temporaryDataDir();
    remove = directory.remove;
    edge = await startEdgeProcess({ dataDir: directory.dataDir });
    url = edge.publicUrl;
    await createRound(edge, { id: 'crowd', cap: 100_000_000 });
    await createRound(edge, { id: 'small', cap: 60_000, maximum: 60_000 });
    await create('later', { opensAt: '2999-01-01T00:00:00.000Z' });
    for (const id of ['paused', 'closed']) {
      await create(id);
      await change(id, 'open');
    }
    await change('paused', 'pause');
    await change('closed', 'close');
    await importInvestors({ edge }, [
      ...['alice', 'bob', 'carol', 'dave', 'erin'].map((investor) => ({ investor, balance: 150_000 })),
      { investor: 'barred', balance: 150_000, eligible: false },
      { investor: 'poor', balance: 1_500 },
    ]);
  });

  after(async () => {
    const exit = await edge?.stop();
    await remove?.();
    assert.deepEqual(exit, { code: 0, signal: null });
  });

  test('404 for what is nowhere, 405 with Allow for another method', async () => {
    checkProblem(await call(`${url}/nowhere`, 'GET', {}), 404, 'not-found');
    const routes = [
      ['/v1/rounds', 'POST', 'GET'],
      ['/v1/rounds/crowd', 'DELETE', 'GET'],
      ['/v1/rounds/crowd/investments', 'PUT', 'GET, POST'],
      ['/v1/rounds/crowd/investments', 'OPTIONS', 'GET, POST'],
      ['/v1/rounds/crowd/investments/some-id', 'PATCH', 'GET'],
      ['/openapi.json', 'POST', 'GET'],
      ['/problems/overloaded', 'PUT', 'GET'],
    ] as const;
    for (const [path, method, allow] of routes) {
      const answer = await call(url + path, method, {});
      checkProblem(answer, 405, 'method-not-allowed');
      assert.equal(answer.headers['allow'], allow, `${method} ${path}`);
    }
  });

  test('every problem type resolves to a page', async () => {
    const answer = await call(`${url}/problems/round-full`, 'GET', {});
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'] ?? '', /^text\/html/);
    assert.match(answer.bytes.toString(), /round-full/);
    checkProblem(await call(`${url}/problems/no-such`, 'GET', {}), 404, 'not-found');
  });

  test('401 for every way in which a token can be wrong', async () => {
    const exp = nowS() + HOUR_S;
    const good = investorToken('alice');
    const bad: Record<string, string | null> = {
      missing: null,
      empty: '',
      basic: 'Basic YWxpY2U6c2VjcmV0',
      'no scheme': good,
      malformed: 'Bearer abc',
      'two parts': `Bearer ${good.split('.').slice(0, 2).join('.')}`,
      'four parts': `Bearer ${good}.AAAA`,
      expired: `Bearer ${signed({ sub: 'alice', exp: nowS() - 1 })}`,
      'without exp': `Bearer ${signed({ sub: 'alice' })}`,
      'not yet valid': `Bearer ${signed({ sub: 'alice', exp, nbf: nowS() + 60 })}`,
      'another key': `Bearer ${signed({ sub: 'alice', exp }, { alg: 'HS256' }, 'x'.repeat(40))}`,
      'alg none': `Bearer ${signed({ sub: 'alice', exp }, { alg: 'none' })}`,
      'alg HS512': `Bearer ${signed({ sub: 'alice', exp }, { alg: 'HS512' })}`,
      'critical extension': `Bearer ${signed({ sub: 'alice', exp }, { alg: 'HS256', crit: ['b64'] })}`,
      'without sub': `Bearer ${signed({ exp })}`,
      'empty sub': `Bearer ${signed({ sub: '', exp })}`,
      'long sub': `Bearer ${signed({ sub: 'a'.repeat(129), exp })}`,
      'sub with a space': `Bearer ${signed({ sub: 'a b', exp })}`,
      'sub not ASCII': `Bearer ${signed({ sub: 'älice', exp })}`,
      'sub a number': `Bearer ${signed({ sub: 7, exp })}`,
    };
    for (const [why, authorization] of Object.entries(bad)) {
      const answer = await invest(url, { authorization });
      assert.deepEqual(checkProblem(answer, 401, 'unauthenticated'), {}, why);
      assert.equal(answer.headers['www-authenticate'], 'Bearer', why);
    }
    const longest = await invest(url, { authorization: `Bearer ${signed({ sub: 'a'.repeat(128), exp })}` });
    checkProblem(longest, 422, 'insufficient-balance');
  });

  test('400 names the member', async () => {
    const bodies: readonly [string, string, string][] = [
      ['not JSON', '{"amount":', ''],
      ['an array', '[1]', ''],
      ['empty', '', ''],
      ['unknown member', '{"amount":1000,"currency":"GBP","tip":1}', '/tip'],
      ['a name that needs escaping', '{"amount":1000,"currency":"GBP","a/b~c":1}', '/a~1b~0c'],
      ['no amount', '{"currency":"GBP"}', '/amount'],
      ['no currency', '{"amount":1000}', '/currency'],
      ['amount twice', '{"amount":1000,"amount":1000,"currency":"GBP"}', '/amount'],
      ['float', '{"amount":1000.5,"currency":"GBP"}', '/amount'],
      ['float of an integer', '{"amount":1000.0,"currency":"GBP"}', '/amount'],
      ['exponent', '{"amount":1e3,"currency":"GBP"}', '/amount'],
      ['zero', '{"amount":0,"currency":"GBP"}', '/amount'],
      ['negative', '{"amount":-1000,"currency":"GBP"}', '/amount'],
      ['a string', '{"amount":"1000","currency":"GBP"}', '/amount'],
      ['2^53', '{"amount":9007199254740992,"currency":"GBP"}', '/amount'],
      ['lower case', '{"amount":1000,"currency":"gbp"}', '/currency'],
      ['null currency', '{"amount":1000,"currency":null}', '/currency'],
    ];
    for (const [why, text, pointer] of bodies) {
      const answer = await invest(url, { bytes: Buffer.from(text, 'latin1') });
      assert.deepEqual(checkProblem(answer, 400, 'malformed-request'), { pointer }, why);
    }
    const latin1 = await invest(url, { bytes: Buffer.from('{"amount":1000,"currency":"GB\xe9"}', 'latin1') });
    assert.deepEqual(checkProblem(latin1, 400, 'malformed-request'), { pointer: '' });
    const msgpack = await invest(url, {
      type: 'application/msgpack',
      body: { amount: 1.5, currency: 'GBP' },
    });
    assert.deepEqual(checkProblem(msgpack, 400, 'malformed-request'), { pointer: '/amount' });
    for (const key of [null, '', 'a b', 'k'.repeat(65), '"open', 'x'.repeat(300)]) {
      checkProblem(await invest(url, { key }), 400, 'malformed-request');
    }
  });

  test('422 for bounds and currency, 404 for no round', async () => {
    checkProblem(await invest(url, { round: 'nowhere' }), 404, 'round-not-found');
    checkProblem(await invest(url, { body: { amount: 50_000, currency: 'EUR' } }), 422, 'currency-mismatch');
    const low = await invest(url, { body: { amount: 999, currency: 'GBP' } });
    assert.deepEqual(checkProblem(low, 422, 'amount-below-minimum'), { minimum: 1_000 });
    const high = await invest(url, { body: { amount: 200_001, currency: 'GBP' } });
    assert.deepEqual(checkProblem(high, 422, 'amount-above-maximum'), { maximum: 200_000 });
    const most = await invest(url, { body: { amount: Number.MAX_SAFE_INTEGER, currency: 'GBP' } });
    checkProblem(most, 422, 'amount-above-maximum');
  });

  test('409 for a round that is not open', async () => {
    const later = await invest(url, { round: 'later' });
    assert.deepEqual(checkProblem(later, 409, 'round-not-open'), { opensAt: '2999-01-01T00:00:00.000Z' });
    assert.match(later.headers['retry-after'] ?? '', /^\d+$/);
    const paused = await invest(url, { round: 'paused' });
    assert.deepEqual(checkProblem(paused, 409, 'round-paused'), { opensAt: null });
    assert.match(paused.headers['retry-after'] ?? '', /^\d+$/);
    assert.deepEqual(checkProblem(await invest(url, { round: 'closed' }), 409, 'round-closed'), {});
  });

  test('what the rules of the round refuse', async () => {
    assert.deepEqual(checkProblem(await invest(url, { investor: 'barred' }), 403, 'not-eligible'), {});
    const poor = await invest(url, { investor: 'poor', body: { amount: 1_501, currency: 'GBP' } });
    assert.deepEqual(checkProblem(poor, 422, 'insufficient-balance'), {});
    checkProblem(await invest(url, { investor: 'stranger' }), 422, 'insufficient-balance');
    const first = await invest(url, { investor: 'bob', round: 'small' });
    assert.equal(first.status, 201);
    const again = await invest(url, { investor: 'bob', round: 'small' });
    assert.deepEqual(checkProblem(again, 409, 'already-invested'), { investment: first.body['id'] });
    const full = await invest(url, { investor: 'carol', round: 'small' });
    assert.deepEqual(checkProblem(full, 409, 'round-full'), { remaining: 10_000 });
  });

  test('the order: of two faults the one further up answers', async () => {
    // Each fault alone, from the top of the table to its end; `with` adds it to a request.
    const faults: readonly { readonly code: string; readonly with: InvestOptions }[] = [
      { code: 'unsupported-media-type', with: { type: 'text/plain' } },
      { code: 'unauthenticated', with: { authorization: 'Bearer e30.e30.e30' } },
      { code: 'malformed-request', with: { key: 'a b' } },
      { code: 'round-not-found', with: { round: 'nowhere' } },
    ];
    for (const [at, upper] of faults.entries()) {
      for (const lower of faults.slice(at + 1)) {
        const answer = await invest(url, { ...lower.with, ...upper.with });
        assert.equal(answer.body['code'], upper.code, `${upper.code} before ${lower.code}`);
      }
    }
    const tooLarge = Buffer.alloc(5_000, ' ');
    const first = await invest(url, { type: 'text/plain', authorization: null, bytes: tooLarge });
    checkProblem(first, 413, 'body-too-large');
    // A form that is wrong comes before the round; a fault of the amount before the state of the round and the investor.
    const body = { amount: 999, currency: 'GBP' };
    checkProblem(await invest(url, { round: 'nowhere', body: { amount: 0 } }), 400, 'malformed-request');
    checkProblem(
      await invest(url, { round: 'closed', body: { ...body, currency: 'EUR' } }),
      422,
      'currency-mismatch',
    );
    checkProblem(await invest(url, { round: 'paused', body }), 422, 'amount-below-minimum');
    checkProblem(await invest(url, { round: 'closed', investor: 'barred' }), 409, 'round-closed');
    const barred = { investor: 'barred', round: 'small', body: { amount: 60_000, currency: 'GBP' } };
    checkProblem(await invest(url, barred), 403, 'not-eligible');
    // bob is in already, has not that much, and there is no room.
    const bob = await invest(url, { investor: 'bob', round: 'small', body: barred.body });
    checkProblem(bob, 409, 'already-invested');
    checkProblem(await invest(url, { investor: 'poor', round: 'small' }), 422, 'insufficient-balance');
  });

  test('a reused key answers before everything about the round', async () => {
    const key = freshKey();
    const first = await invest(url, { investor: 'dave', key });
    assert.equal(first.status, 201);
    const other = await invest(url, { investor: 'dave', key, body: { amount: 999, currency: 'EUR' } });
    assert.deepEqual(checkProblem(other, 422, 'idempotency-key-reused'), {});
    const currency = await invest(url, { investor: 'dave', key, body: { amount: 50_000, currency: 'EUR' } });
    checkProblem(currency, 422, 'idempotency-key-reused');
    checkProblem(await invest(url, { investor: 'dave', key, body: { amount: 0 } }), 400, 'malformed-request');
    const elsewhere = await invest(url, { investor: 'dave', key, round: 'closed' });
    checkProblem(elsewhere, 409, 'round-closed');
    const quoted = await invest(url, { investor: 'dave', key: `"${key}"` });
    assert.equal(quoted.headers['idempotency-replayed'], 'true');
    assert.deepEqual(quoted.bytes, first.bytes);
  });

  test('too large a token is 431, also for reads', async () => {
    const authorization = `Bearer ${'a'.repeat(4_100)}`;
    checkProblem(await invest(url, { authorization }), 431, 'headers-too-large');
    checkProblem(
      await call(`${url}/v1/rounds/crowd/investments`, 'GET', { authorization }),
      431,
      'headers-too-large',
    );
    // 415 stands before it in the table.
    checkProblem(await invest(url, { authorization, type: null }), 415, 'unsupported-media-type');
  });
});
