// The public port as bytes: pieces of bodies, encodings, replays, duplicates in flight, clients that go away.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  createRound,
  type EdgeProcess,
  importInvestors,
  startEdgeProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { freshKey, invest, RawConnection, rawInvest, read } from './contract-client.js';

const BODY = '{"amount":50000,"currency":"GBP"}';
// uWebSockets.js bounds a head that comes in several reads, and one read by its buffer: this is beyond both.
const HEAD_BYTES = 300_000;
const investors = Array.from({ length: 40 }, (_, i) => `wire-${i}`);

describe('the wire', () => {
  let edge: EdgeProcess;
  let url: string;
  let dataDir: string;
  let remove: () => Promise<void>;
  let next = 0;
  const someone = (): string => investors[next++]!;

  before(async () => {
    ({ dataDir, remove } = await temporaryDataDir());
    edge = await startEdgeProcess({ dataDir });
    url = edge.publicUrl;
    await createRound(edge, { id: 'crowd', cap: 100_000_000 });
    await importInvestors(
      { edge },
      investors.map((investor) => ({ investor, balance: 150_000 })),
    );
  });

  after(async () => {
    await edge?.stop();
    await remove?.();
  });

  test('201 has the investment, its Location, and reads back the same', async () => {
    const investor = someone();
    const answer = await invest(url, { investor });
    assert.equal(answer.status, 201);
    const { id, sequence, acceptedAt, ...rest } = answer.body;
    assert.deepEqual(rest, { round: 'crowd', investor, amount: 50_000, currency: 'GBP', state: 'accepted' });
    assert.match(String(id), /^[\w-]{1,40}$/);
    assert.ok(Number.isSafeInteger(sequence));
    assert.match(String(acceptedAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const location = answer.headers['location'];
    assert.equal(location, `/v1/rounds/crowd/investments/${id}`);
    assert.deepEqual((await read(url + location, investor)).body, answer.body);
    assert.equal(
      (await read(url + location, someone())).status,
      404,
      "another's investment is not to be seen",
    );
    const list = await read(`${url}/v1/rounds/crowd/investments`, investor);
    assert.deepEqual(list.body, { investments: [answer.body] });
  });

  test('answers come as what was sent, or as Accept says', async () => {
    const json = 'application/json';
    const msgpack = 'application/msgpack';
    const cases = [
      [json, undefined, json],
      [msgpack, undefined, msgpack],
      [json, msgpack, msgpack],
      [msgpack, json, json],
      [msgpack, '*/*', msgpack],
      ['application/json; charset=utf-8', `${msgpack};q=0, text/html`, json],
    ] as const;
    for (const [type, accept, expected] of cases) {
      const investor = someone();
      const answer = await invest(url, { investor, type, ...(accept === undefined ? {} : { accept }) });
      assert.equal(answer.status, 201, `${type} ${accept}`);
      assert.equal(answer.headers['content-type'], expected);
      assert.equal(answer.body['amount'], 50_000);
      const shown = await read(`${url}/v1/rounds/crowd/investments`, investor, expected);
      assert.equal(shown.headers['content-type'], expected);
      assert.deepEqual(shown.body['investments'], [answer.body]);
    }
    const problem = await invest(url, { type: msgpack, body: { amount: 1, currency: 'GBP' } });
    assert.equal(problem.headers['content-type'], 'application/problem+json');
    assert.equal((await read(`${url}/v1/rounds/crowd`, 'anyone', msgpack)).body['id'], 'crowd');
  });

  test('a repeated key gets the first answer, byte for byte, also after a restart', async () => {
    const asked = [
      { investor: someone(), key: freshKey() },
      { investor: 'nobody', key: freshKey() },
    ];
    const first = await Promise.all(asked.map((one) => invest(url, one)));
    assert.deepEqual(
      first.map(({ status }) => status),
      [201, 422],
    );
    assert.ok(first.every(({ headers }) => headers['idempotency-replayed'] === undefined));
    for (let restarts = 0; restarts < 3; restarts++) {
      for (const [i, one] of asked.entries()) {
        const again = await invest(url, one);
        assert.equal(again.status, first[i]!.status);
        assert.equal(again.headers['idempotency-replayed'], 'true');
        assert.equal(again.headers['location'], first[i]!.headers['location']);
        assert.deepEqual(again.bytes, first[i]!.bytes);
      }
      const exit = restarts === 0 ? await edge.stop() : await edge.kill();
      if (restarts === 0) assert.deepEqual(exit, { code: 0, signal: null });
      edge = await startEdgeProcess({ dataDir });
      url = edge.publicUrl;
    }
  });

  test('duplicates in flight all get the verdict of the first', async () => {
    const one = { investor: someone(), key: freshKey() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => invest(url, one)));
    assert.ok(answers.every(({ status }) => status === 201));
    assert.equal(new Set(answers.map(({ bytes }) => bytes.toString())).size, 1);
    assert.equal(answers.filter(({ headers }) => headers['idempotency-replayed'] === undefined).length, 1);
    const investor = someone();
    const others = await Promise.all(Array.from({ length: 20 }, () => invest(url, { investor })));
    assert.equal(others.filter(({ status }) => status === 201).length, 1);
    assert.equal(others.filter(({ body }) => body['code'] === 'already-invested').length, 19);
  });

  test('a body in several pieces, and in chunks', async () => {
    const pieces = new RawConnection(edge.publicPort);
    const request = rawInvest(someone(), BODY);
    // The first piece ends within a header: uWebSockets.js answers 505 to a request line in two reads.
    await pieces.send(
      request.slice(0, 90),
      request.slice(90, -10),
      request.slice(-10, -1),
      request.slice(-1),
    );
    assert.equal((await pieces.response())?.status, 201);
    const chunked = rawInvest(someone(), '', ['Transfer-Encoding: chunked']);
    await pieces.send(
      chunked,
      `5\r\n${BODY.slice(0, 5)}\r\n`,
      `${(BODY.length - 5).toString(16)}\r\n${BODY.slice(5)}\r\n`,
      '0\r\n\r\n',
    );
    assert.equal((await pieces.response())?.status, 201);
    pieces.destroy();
  });

  test('a request behind an unanswered one ends the connection: both keys still find the truth', async () => {
    const raw = new RawConnection(edge.publicPort);
    const asked = [someone(), someone()].map((investor) => ({ investor, key: freshKey() }));
    await raw.send(
      asked.map(({ investor, key }) => rawInvest(investor, BODY, [`Idempotency-Key: ${key}`])).join(''),
    );
    await raw.closed();
    for (const one of asked) assert.equal((await invest(url, one)).status, 201);
  });

  test('413 for a body over 4 KiB, declared or not, and the connection closes', async () => {
    const spaces = ' '.repeat(4_097 - BODY.length);
    const declared = new RawConnection(edge.publicPort);
    await declared.send(rawInvest(someone(), BODY + spaces));
    const answer = await declared.response();
    assert.equal(answer?.status, 413);
    assert.equal(JSON.parse(answer.body).code, 'body-too-large');
    await declared.closed();
    const chunked = new RawConnection(edge.publicPort);
    const chunk = `${BODY.length.toString(16)}\r\n${BODY}\r\n1000\r\n${' '.repeat(4_096)}\r\n`;
    await chunked.send(rawInvest(someone(), '', ['Transfer-Encoding: chunked']), chunk);
    assert.equal((await chunked.response())?.status, 413);
    await chunked.closed();
    const padded = new RawConnection(edge.publicPort);
    await padded.send(rawInvest(someone(), BODY, [`Content-Length: 00000${BODY.length}`]));
    assert.equal((await padded.response())?.status, 201, 'zeros make no length larger');
    padded.destroy();
    const exact = await invest(url, { investor: someone(), bytes: Buffer.from(BODY + spaces.slice(1)) });
    assert.equal(exact.status, 201, 'exactly 4 KiB is not too large');
  });

  test('a head past every bound is answered 431 by the server itself, which then closes', async () => {
    const raw = new RawConnection(edge.publicPort);
    await raw.send(rawInvest(someone(), BODY, [`X-Large: ${'a'.repeat(HEAD_BYTES)}`]));
    const answer = await raw.response();
    // What was still on its way may reset the connection before the client has read the answer.
    assert.ok(answer === null || answer.status === 431, JSON.stringify(answer));
    await raw.closed();
  });

  test('HEAD is 405 and has no body', async () => {
    const raw = new RawConnection(edge.publicPort);
    await raw.send('HEAD /v1/rounds/crowd HTTP/1.1\r\nHost: x\r\n\r\n');
    const head = await raw.response(true);
    assert.equal(head?.status, 405);
    await raw.send('GET /v1/rounds/crowd HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await raw.response())?.status, 200, 'the next answer starts where it should');
    raw.destroy();
  });

  test('a client that goes away leaves a verdict that its key finds', async () => {
    const investor = someone();
    const key = freshKey();
    const gone = new RawConnection(edge.publicPort);
    await gone.send(rawInvest(investor, BODY, [`Idempotency-Key: ${key}`]));
    gone.destroy();
    const half = new RawConnection(edge.publicPort);
    await half.send(rawInvest(someone(), BODY).slice(0, -5));
    half.destroy();
    const answer = await invest(url, { investor, key });
    assert.equal(answer.status, 201);
    const list = await read(`${url}/v1/rounds/crowd/investments`, investor);
    assert.equal((list.body['investments'] as unknown[]).length, 1);
  });

  test('rounds are read without a token', async () => {
    const answer = await fetch(`${url}/v1/rounds/crowd`);
    const round = (await answer.json()) as Record<string, unknown>;
    const members =
      'admitted cap closesAt currency id investors maximum minimum name opensAt remaining sequence serverTime settled state';
    assert.deepEqual(Object.keys(round).sort(), members.split(' '));
    assert.equal(round['state'], 'open');
    assert.equal((round['remaining'] as number) + (round['admitted'] as number), round['cap']);
    const all = (await (await fetch(`${url}/v1/rounds`)).json()) as { rounds: unknown[] };
    assert.equal(all.rounds.length, 1);
    assert.equal((await fetch(`${url}/v1/rounds/nowhere`)).status, 404);
  });
});

test('429 past the rate of an investor, for nobody else, and the wait it names is enough', async () => {
  const { dataDir, remove } = await temporaryDataDir();
  const edge = await startEdgeProcess({
    dataDir,
    env: { OPENBELL_INVESTOR_RATE: '1', OPENBELL_INVESTOR_BURST: '3' },
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => invest(edge.publicUrl, { investor: 'eager', round: 'none' })),
    );
    const refused = answers.filter(({ status }) => status === 429);
    assert.equal(refused.length, 5, 'the burst passes, and no more');
    for (const { body, headers } of refused) {
      assert.equal(body['code'], 'too-many-requests');
      assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/);
    }
    const key429 = await invest(edge.publicUrl, { investor: 'eager', round: 'none', key: 'a b' });
    assert.equal(key429.status, 429, '429 comes before 400');
    assert.equal((await invest(edge.publicUrl, { investor: 'other', round: 'none' })).status, 404);
  } finally {
    await edge.stop();
    await remove();
  }
});
