// The live protocol through the real port, in both encodings: welcome, auth, invest, verdicts, ticks, outcomes, and
// how a connection ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { packMsgpack } from '../../src/core/msgpack.js';
import { encodeFrame, OPCODE } from '../../src/rush/ws-frame.js';
import {
  createRound,
  type EdgeProcess,
  importInvestors,
  investorToken,
  type LedgerProcess,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { freshKey, invest, read } from './contract-client.js';
import {
  JSON_PROTOCOL,
  LiveClient,
  type LiveMessage,
  type LiveOptions,
  MSGPACK_PROTOCOL,
} from './live-client.js';

const ORIGIN = 'https://app.example.com';
const investors = Array.from({ length: 200 }, (_, i) => `live-${i}`);

describe('the live protocol', () => {
  let edge: EdgeProcess;
  let ledger: LedgerProcess;
  let url: string;
  let remove: () => Promise<void>;
  let next = 0;
  const someone = (): string => investors[next++]!;

  async function open(options: LiveOptions = {}): Promise<LiveClient> {
    const client = new LiveClient(url, 'crowd', options);
    await client.opened();
    return client;
  }

  before(async () => {
    const directory = await temporaryDataDir();
    const { dataDir } = directory;
    remove = directory.remove;
    const env = { OPENBELL_ORIGINS: ORIGIN, OPENBELL_WORKERS: '2' };
    [edge, ledger] = await Promise.all([startEdgeProcess({ dataDir, env }), startLedgerProcess({ dataDir })]);
    url = edge.publicUrl;
    await createRound(edge, { id: 'crowd', cap: 100_000_000 });
    await importInvestors(
      { edge, ledger },
      investors.map((investor) => ({ investor, balance: 150_000 })),
    );
  });

  after(async () => {
    await edge?.stop();
    await ledger?.stop();
    await remove?.();
  });

  for (const protocol of [JSON_PROTOCOL, MSGPACK_PROTOCOL]) {
    test(`${protocol}: from welcome to outcome`, async () => {
      const investor = someone();
      const client = await open({ protocol });
      assert.equal(client.protocol, protocol);
      const welcome = await client.next('welcome');
      assert.deepEqual(welcome['investments'], []);
      assert.equal('investor' in welcome, false);
      assert.equal((welcome['round'] as { id: string }).id, 'crowd');
      const key = freshKey();
      const request = { type: 'invest', key, amount: 50_000, currency: 'GBP' };
      client.send(request);
      const refused = await client.next('verdict');
      assert.deepEqual([refused['key'], refused['status'], refused['replayed']], [key, 401, false]);
      assert.equal((refused['problem'] as { code: string }).code, 'unauthenticated');
      client.send({ type: 'auth', token: investorToken(investor) });
      assert.equal((await client.next('welcome'))['investor'], investor);
      client.send(request);
      const verdict = await client.next('verdict');
      assert.deepEqual([verdict['key'], verdict['status'], verdict['replayed']], [key, 201, false]);
      const outcome = await client.next('outcome');
      const settled = outcome['investment'] as Record<string, unknown>;
      const { state, settledAt, ...rest } = settled;
      assert.equal(state, 'settled');
      assert.ok(typeof settledAt === 'string');
      assert.deepEqual({ ...rest, state: 'accepted' }, verdict['investment']);
      client.send(request);
      const replay = await client.next('verdict');
      assert.deepEqual(replay, { ...verdict, replayed: true });
      client.send({ ...request, amount: 60_000 });
      assert.equal((await client.next('verdict'))['status'], 422);
      const again = await open({ protocol, token: investorToken(investor) });
      const back = await again.next('welcome');
      assert.deepEqual(
        [back['investor'], back['investments']],
        [investor, [settled]],
        'who reconnects gets the truth',
      );
      const http = await invest(url, { investor, key });
      assert.equal(http.headers['idempotency-replayed'], 'true');
      assert.deepEqual(http.body, verdict['investment']);
      for (const each of [client, again]) each.close();
    });
  }

  test('no subprotocol means JSON; one that is not ours is refused', async () => {
    const plain = await open({ protocol: null });
    await plain.next('welcome');
    plain.close();
    await assert.rejects(open({ protocol: 'graphql-ws' }));
    const raw = await upgrade({ 'sec-websocket-protocol': 'graphql-ws' });
    assert.match(raw, /^HTTP\/1\.1 400 /);
  });

  test('an upgrade is refused like a request: origin, round, token', async () => {
    assert.match(
      await upgrade({ origin: 'https://evil.example.com' }),
      /^HTTP\/1\.1 403 [\s\S]*origin-not-allowed/,
    );
    assert.match(await upgrade({ origin: ORIGIN }), /^HTTP\/1\.1 101 /);
    assert.match(await upgrade({ origin: `http://127.0.0.1:${edge.publicPort}` }), /^HTTP\/1\.1 101 /);
    assert.match(await upgrade({}, '/v1/rounds/nowhere/live'), /^HTTP\/1\.1 404 [\s\S]*round-not-found/);
    assert.match(
      await upgrade({ authorization: 'Bearer nonsense' }),
      /^HTTP\/1\.1 401 [\s\S]*unauthenticated/,
    );
    assert.match(await upgrade({ authorization: 'Basic eDp5' }), /^HTTP\/1\.1 401 /);
    const plain = await fetch(`${url}/v1/rounds/crowd/live`);
    assert.equal(plain.status, 400);
  });

  /** The first bytes that come back for an upgrade with these headers. */
  function upgrade(
    headers: Readonly<Record<string, string>>,
    path = '/v1/rounds/crowd/live',
  ): Promise<string> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${edge.publicPort}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`;
    const keys = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    return new Promise((resolve, reject) => {
      const socket = connect({ port: edge.publicPort, host: '127.0.0.1' });
      socket.setEncoding('latin1').once('data', (text) => {
        resolve(String(text));
        socket.destroy();
      });
      socket.once('error', reject);
      socket.write(`${head}${keys}${lines.join('')}\r\n`);
    });
  }

  test('a message that is not valid is answered by a problem, and repeated nonsense closes with 1008', async () => {
    const client = await open();
    const bad: readonly [unknown, string][] = [
      [{ type: 'invest', key: 'k', amount: 0, currency: 'GBP' }, '/amount'],
      [{ type: 'invest', key: 'k', amount: 1000 }, '/currency'],
      [{ type: 'invest', amount: 1000, currency: 'GBP' }, '/key'],
      [{ type: 'dance' }, '/type'],
      [{ type: 'auth' }, '/token'],
      [{ type: 'auth', token: 't', key: 'k' }, '/key'],
      [{ type: 'invest', key: 'k', amount: 1000, currency: 'GBP', tip: 1 }, '/tip'],
    ];
    for (const [message, pointer] of bad) {
      client.send(message);
      const { problem } = (await client.next('problem')) as unknown as { problem: Record<string, unknown> };
      assert.deepEqual([problem['code'], problem['pointer']], ['malformed-request', pointer]);
    }
    for (let more = bad.length; more < 10; more++) client.send({ type: 'auth', token: 'nonsense' });
    assert.equal((await client.closed()).code, 1008);
    assert.equal(client.messages.filter(({ type }) => type === 'problem').length, 10, 'each was answered');
  });

  test('frames that cannot be decoded close with 1007, oversize ones with 1009', async () => {
    const json = async (frame: string | Uint8Array) => {
      const client = await open();
      client.sendRaw(frame);
      return (await client.closed()).code;
    };
    assert.equal(await json('{"type":'), 1007);
    assert.equal(await json('[]'), 1007);
    assert.equal(await json(new Uint8Array([0x81])), 1007, 'binary on a text connection');
    assert.equal(await json('x'.repeat(8_193)), 1009);
    const binary = await open({ protocol: MSGPACK_PROTOCOL });
    binary.sendRaw(new Uint8Array([0xc1]));
    assert.equal((await binary.closed()).code, 1007);
    const cut = await open({ protocol: MSGPACK_PROTOCOL });
    cut.sendRaw(packMsgpack({ type: 'invest', key: 'k', amount: 1_000, currency: 'GBP' }).subarray(0, 28));
    assert.equal((await cut.closed()).code, 1007);
    const text = await open({ protocol: MSGPACK_PROTOCOL });
    text.sendRaw('{}');
    assert.equal((await text.closed()).code, 1007);
  });

  test('a gateway speaks for many on one connection, each by its own token, and keys find their verdicts', async () => {
    const client = await open();
    const asked = Array.from({ length: 60 }, () => ({ investor: someone(), key: freshKey() }));
    for (const { investor, key } of asked) {
      client.send({ type: 'invest', key, amount: 1_000, currency: 'GBP', token: investorToken(investor) });
    }
    const byKey = new Map<unknown, LiveMessage>();
    while (byKey.size < asked.length) {
      const verdict = await client.next('verdict');
      byKey.set(verdict['key'], verdict);
    }
    for (const { investor, key } of asked) {
      const verdict = byKey.get(key)!;
      assert.equal(verdict['status'], 201);
      assert.equal((verdict['investment'] as { investor: string }).investor, investor);
    }
    client.close();
  });

  test('duplicates in flight on one connection get one verdict, marked once as the first', async () => {
    const client = await open({ token: investorToken(someone()) });
    const key = freshKey();
    for (let i = 0; i < 10; i++) client.send({ type: 'invest', key, amount: 1_000, currency: 'GBP' });
    const verdicts: LiveMessage[] = [];
    while (verdicts.length < 10) verdicts.push(await client.next('verdict'));
    assert.deepEqual(
      verdicts.map(({ replayed }) => replayed),
      [false, ...Array<boolean>(9).fill(true)],
    );
    assert.equal(new Set(verdicts.map(({ investment }) => JSON.stringify(investment))).size, 1);
    client.close();
  });

  test('progress is conflated to at most ten ticks a second, and the last one is the truth', async () => {
    const watcher = await open();
    await watcher.next('welcome');
    const from = watcher.messages.length;
    const startedMs = performance.now();
    let sequence = 0;
    for (let i = 0; i < 40; i++) {
      const answer = await invest(url, { investor: someone(), body: { amount: 1_000, currency: 'GBP' } });
      sequence = answer.body['sequence'] as number;
    }
    const last = await watcher.next('round', (tick) => (tick['sequence'] as number) >= sequence);
    const elapsedS = (performance.now() - startedMs) / 1000;
    const ticks = watcher.messages.slice(from).filter(({ type }) => type === 'round');
    assert.ok(ticks.length <= 10 * elapsedS + 2, `${ticks.length} ticks in ${elapsedS} s`);
    assert.equal((last['admitted'] as number) + (last['remaining'] as number), last['cap']);
    assert.ok(
      !watcher.messages.some(({ type }) => type === 'outcome'),
      "another's outcome is not to be heard",
    );
    watcher.close();
  });

  async function liveConnections(): Promise<number> {
    const metrics = await (await fetch(`${edge.adminUrl}/metrics`)).text();
    return Number.parseInt(/^openbell_connections\{[^}]*live[^}]*\} (\d+)/m.exec(metrics)?.[1] ?? '', 10);
  }

  test('a reader that does not read is closed, and its keys find the truth', {
    timeout: 30_000,
  }, async () => {
    const investor = someone();
    const key = freshKey();
    const frame = encodeFrame(
      OPCODE.text,
      Buffer.from(JSON.stringify({ type: 'invest', key, amount: 1_000, currency: 'GBP' })),
    );
    const socket = connect({ port: edge.publicPort, host: '127.0.0.1' });
    const head = `GET /v1/rounds/crowd/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nAuthorization: Bearer ${investorToken(investor)}\r\n`;
    socket.write(`${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    await once(socket, 'data');
    // Small requests of larger answers, of which nothing is read until the node has given the connection up.
    socket.pause();
    const before = await liveConnections();
    for (let i = 0; i < 24; i++) socket.write(Buffer.concat(Array<Buffer>(2_000).fill(frame)));
    while ((await liveConnections()) >= before) socket.write(frame);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
    const received = Buffer.concat(chunks);
    const close = received.subarray(-200).toString('latin1');
    assert.match(close, /slow reader: ask again by key/);
    const at = received.lastIndexOf('slow reader');
    assert.equal(received.readUInt16BE(at - 2), 1013);
    const list = await read(`${url}/v1/rounds/crowd/investments`, investor);
    assert.equal((list.body['investments'] as unknown[]).length, 1);
  });

  test('a stop says that it is going away', async () => {
    const directory = await temporaryDataDir();
    const other = await startEdgeProcess({ dataDir: directory.dataDir });
    await createRound(other, { id: 'crowd', cap: 1_000_000 });
    const client = new LiveClient(other.publicUrl, 'crowd');
    await client.opened();
    const [exit, closed] = await Promise.all([other.stop(), client.closed()]);
    assert.deepEqual([exit.code, closed.code], [0, 1001]);
    await directory.remove();
  });
});
