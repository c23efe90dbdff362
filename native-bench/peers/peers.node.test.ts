// Every peer keeps the same promises as openbell: one scenario through the real port of each, and of openbell's own edge.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Answer, freshKey, type InvestOptions, invest } from '../../test/contract/contract-client.js';
import {
  createRound,
  importInvestors,
  startEdgeProcess,
  TEST_JWT_SECRET,
} from '../../test/harness/node-process.js';
import { buildPeer, skipPeer } from './build-peers.js';
import { PEERS } from './peer-list.js';
import { type PeerRound, startPeer, writeInvestors } from './start-peer.js';

/** What the scenario needs of a server: it can be ended as a crash would, and comes back with what it held. */
interface Server {
  readonly url: string;
  stop(): Promise<unknown>;
  kill(): Promise<unknown>;
}

const CAP = 3_000_000;
const ROUND: PeerRound = { id: 'crowd', currency: 'GBP', cap: CAP, minimum: 1_000, maximum: 60_000 };
const AMOUNT = 50_000;
const RUSH = Array.from({ length: 120 }, (_, i) => `rush-${i}`);
const BALANCES = new Map([
  ...['ann', 'ben', 'cat', '"q\\'].map((investor) => [investor, 150_000] as const),
  ['poor', AMOUNT - 1] as const,
  ['late', 9_000_000] as const,
  ...RUSH.map((investor) => [investor, 150_000] as const),
]);

async function startEdge(dir: string, first: boolean): Promise<Server> {
  const edge = await startEdgeProcess({ dataDir: dir });
  if (first) {
    const { id, cap, minimum, maximum } = ROUND;
    await createRound(edge, { id, cap, minimum, maximum });
    const lines = [...BALANCES].map(([investor, balance]) => ({ investor, balance }));
    await importInvestors({ edge }, lines);
  }
  return { url: edge.publicUrl, stop: () => edge.stop(), kill: () => edge.kill() };
}

function signed(claims: Record<string, unknown>, secret = TEST_JWT_SECRET, alg = 'HS256'): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg })}.${part(claims)}`;
  return `Bearer ${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function checkProblem(answer: Answer, status: number, code: string): Record<string, unknown> {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  const { type, title, status: told, detail, code: named, ...members } = answer.body;
  assert.deepEqual([type, told, named], [`/problems/${code}`, status, code]);
  assert.ok(typeof title === 'string' && title !== '' && typeof detail === 'string' && detail !== '');
  return members;
}

/** A 201, byte for byte but for the id, the sequence and the time; resolves to the id. */
function checkAccepted(answer: Answer, investor: string): string {
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  const { id, sequence, acceptedAt } = answer.body;
  assert.match(`${id}`, /^[a-z0-9]{8}-[0-9a-z]{1,11}$/);
  assert.ok(Number.isSafeInteger(sequence) && (sequence as number) > 0);
  assert.match(`${acceptedAt}`, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(
    answer.bytes.toString(),
    `{"id":"${id}","round":"crowd","investor":${JSON.stringify(investor)},"amount":${AMOUNT},"currency":"GBP",` +
      `"state":"accepted","sequence":${sequence},"acceptedAt":"${acceptedAt}"}`,
  );
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['location'], `/v1/rounds/crowd/investments/${id}`);
  return `${id}`;
}

async function checkForm(url: string): Promise<void> {
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const bad = {
    nothing: null,
    'another scheme': 'Basic YTpi',
    'not a token': 'Bearer e30.e30.e30',
    'another key': signed({ sub: 'ann', exp }, 'another-secret-of-more-than-32-bytes!'),
    'alg none': signed({ sub: 'ann', exp }, TEST_JWT_SECRET, 'none'),
    expired: signed({ sub: 'ann', exp: exp - 7_200 }),
    'without exp': signed({ sub: 'ann' }),
    'not yet': signed({ sub: 'ann', exp, nbf: exp - 60 }),
    'without sub': signed({ exp }),
    'sub with a space': signed({ sub: 'a b', exp }),
    'long sub': signed({ sub: 'a'.repeat(129), exp }),
    'cut short': signed({ sub: 'ann', exp }).slice(0, -1),
  };
  for (const [why, authorization] of Object.entries(bad)) {
    const answer = await invest(url, { authorization });
    assert.deepEqual(checkProblem(answer, 401, 'unauthenticated'), {}, why);
    assert.equal(answer.headers['www-authenticate'], 'Bearer', why);
  }
  const bodies: readonly [string, string][] = [
    ['{"amount":', ''],
    ['[1]', ''],
    ['', ''],
    ['{"amount":1000,"currency":"GBP","tip":1}', '/tip'],
    ['{"currency":"GBP"}', '/amount'],
    ['{"amount":1000}', '/currency'],
    ['{"amount":1000,"amount":1000,"currency":"GBP"}', '/amount'],
    ['{"amount":1000.0,"currency":"GBP"}', '/amount'],
    ['{"amount":1e3,"currency":"GBP"}', '/amount'],
    ['{"amount":-1000,"currency":"GBP"}', '/amount'],
    ['{"amount":"1000","currency":"GBP"}', '/amount'],
    ['{"amount":9007199254740992,"currency":"GBP"}', '/amount'],
    ['{"amount":1000,"currency":"gbp"}', '/currency'],
  ];
  for (const [text, pointer] of bodies) {
    const answer = await invest(url, { investor: 'ann', bytes: Buffer.from(text) });
    assert.deepEqual(checkProblem(answer, 400, 'malformed-request'), { pointer }, text);
  }
  for (const key of [null, 'a b', 'k'.repeat(65)]) {
    checkProblem(await invest(url, { investor: 'ann', key }), 400, 'malformed-request');
  }
  checkProblem(await invest(url, { type: 'text/plain' }), 415, 'unsupported-media-type');
  checkProblem(await invest(url, { bytes: Buffer.alloc(5_000, ' ') }), 413, 'body-too-large');
  checkProblem(await invest(url, { round: 'nowhere' }), 404, 'round-not-found');
  const ann = (amount: number, currency = 'GBP') =>
    invest(url, { investor: 'ann', body: { amount, currency } });
  checkProblem(await ann(AMOUNT, 'EUR'), 422, 'currency-mismatch');
  assert.deepEqual(checkProblem(await ann(999), 422, 'amount-below-minimum'), { minimum: 1_000 });
  assert.deepEqual(checkProblem(await ann(60_001), 422, 'amount-above-maximum'), { maximum: 60_000 });
}

/** One after the other; resolves to what must be answered again after a restart. */
async function checkVerdicts(url: string): Promise<[InvestOptions, Answer][]> {
  const asked: [InvestOptions, Answer][] = [];
  const ask = async (options: InvestOptions): Promise<Answer> => {
    const one = { key: freshKey(), ...options };
    const answer = await invest(url, one);
    asked.push([one, answer]);
    return answer;
  };
  const id = checkAccepted(await ask({ investor: 'ben' }), 'ben');
  checkAccepted(await ask({ investor: '"q\\' }), '"q\\');
  const again = await ask({ investor: 'ben' });
  assert.deepEqual(checkProblem(again, 409, 'already-invested'), { investment: id });
  assert.deepEqual(checkProblem(await ask({ investor: 'poor' }), 422, 'insufficient-balance'), {});
  checkProblem(await ask({ investor: 'stranger' }), 422, 'insufficient-balance');
  const key = asked[0]?.[0].key as string;
  for (const body of [
    { amount: AMOUNT + 1, currency: 'GBP' },
    { amount: AMOUNT, currency: 'EUR' },
    { amount: 999, currency: 'GBP' },
  ]) {
    const reused = await invest(url, { investor: 'ben', key, body });
    assert.deepEqual(checkProblem(reused, 422, 'idempotency-key-reused'), {});
  }
  const quoted = await invest(url, { investor: 'ben', key: `"${key}"` });
  assert.equal(quoted.headers['idempotency-replayed'], 'true');
  const spaced = '{ "currency" : "GBP",\n "amount" : 50000 }';
  const reordered = await invest(url, { investor: 'ben', key, bytes: Buffer.from(spaced) });
  assert.equal(reordered.headers['idempotency-replayed'], 'true');
  return asked;
}

async function checkReplays(url: string, asked: readonly [InvestOptions, Answer][]): Promise<void> {
  for (const [options, first] of asked) {
    assert.equal(first.headers['idempotency-replayed'], undefined);
    const again = await invest(url, options);
    assert.equal(again.status, first.status);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.equal(again.headers['location'], first.headers['location']);
    assert.equal(again.headers['content-type'], first.headers['content-type']);
    assert.deepEqual(again.bytes, first.bytes);
  }
}

/** More at once than the cap has room for, many of them twice; resolves to what was answered first. */
async function checkRush(url: string, taken: number): Promise<[InvestOptions, Answer][]> {
  const keys = new Map(RUSH.map((investor) => [investor, freshKey()]));
  const sent: InvestOptions[] = RUSH.flatMap((investor, i) => {
    const one = { investor, key: keys.get(investor) as string };
    // The same key twice in flight, or two keys of one investor.
    if (i % 3 === 0) return [one, one];
    return i % 3 === 1 ? [one, { investor, key: freshKey() }] : [one];
  });
  const answers = await Promise.all(sent.map(async (one) => [one, await invest(url, one)] as const));
  const places = Math.floor((CAP - taken) / AMOUNT);
  const first = answers.filter(([, { headers }]) => headers['idempotency-replayed'] === undefined);
  const accepted = first.filter(([, { status }]) => status === 201);
  assert.equal(accepted.length, places, 'neither past the cap nor short of it');
  assert.equal(new Set(accepted.map(([{ investor }]) => investor)).size, places, 'each investor once');
  for (const [{ investor }, answer] of accepted) checkAccepted(answer, investor as string);
  for (const [, answer] of first.filter(([, { status }]) => status !== 201)) {
    if (answer.body['code'] === 'already-invested') continue;
    const { remaining } = checkProblem(answer, 409, 'round-full');
    assert.ok((remaining as number) >= 0 && (remaining as number) < AMOUNT, 'full only when it is');
  }
  const ids = new Set(accepted.map(([, { body }]) => body['id']));
  assert.equal(ids.size, places);
  for (let i = 0; i < RUSH.length; i += 3) {
    const pair = answers.filter(([{ investor }]) => investor === RUSH[i]).map(([, answer]) => answer);
    assert.equal(pair.length, 2);
    assert.deepEqual(pair[0]?.bytes, pair[1]?.bytes, `two verdicts of one key of ${RUSH[i]}`);
    const replays = pair.filter(({ headers }) => headers['idempotency-replayed'] === 'true');
    assert.equal(replays.length, 1, 'one of two is a replay');
  }
  return first.map(([one, answer]) => [one, answer]);
}

async function scenario(start: (first: boolean) => Promise<Server>): Promise<void> {
  let server = await start(true);
  try {
    await checkForm(server.url);
    const asked = await checkVerdicts(server.url);
    await checkReplays(server.url, asked);
    await server.kill();
    server = await start(false);
    await checkReplays(server.url, asked);
    // Two are in; what is left is no multiple of the amount, so that a last, smaller one must still fit.
    const small = { investor: 'cat', key: freshKey(), body: { amount: 30_000, currency: 'GBP' } };
    assert.equal((await invest(server.url, small)).status, 201);
    const rush = await checkRush(server.url, 2 * AMOUNT + 30_000);
    const last = { investor: 'late', body: { amount: 20_000, currency: 'GBP' } };
    assert.equal((await invest(server.url, last)).status, 201, 'the cap is reached exactly');
    const full = await invest(server.url, { investor: 'ann', body: { amount: 1_000, currency: 'GBP' } });
    assert.deepEqual(checkProblem(full, 409, 'round-full'), { remaining: 0 });
    await server.stop();
    server = await start(false);
    await checkReplays(server.url, [...asked, ...rush]);
    const still = await invest(server.url, { investor: 'ann', body: { amount: 1_000, currency: 'GBP' } });
    assert.deepEqual(checkProblem(still, 409, 'round-full'), { remaining: 0 });
  } finally {
    await server.stop();
  }
}

async function withDirectory(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'openbell-peers-'));
  try {
    await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

describe('the same contract', () => {
  test('openbell', () => withDirectory((dir) => scenario((first) => startEdge(dir, first))));
  for (const peer of PEERS) {
    test(peer.name, { skip: skipPeer(peer) }, () =>
      withDirectory(async (dir) => {
        buildPeer(peer);
        const file = writeInvestors(
          dir,
          [...BALANCES].map(([investor, balance]) => `${investor} ${balance}`),
        );
        await scenario(() => startPeer(peer, join(dir, 'peer'), ROUND, file));
      }),
    );
  }
});
