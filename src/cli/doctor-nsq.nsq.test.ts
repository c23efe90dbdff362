// `openbell doctor` at real nsqds and a real nsqlookupd: what is well, each thing that is not, and what to do about it.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { makeCertificates } from '../../test/harness/certificates.js';
import { skipWithoutEngine } from '../../test/harness/engine-files.js';
import { httpBody } from '../../test/harness/http-call.js';
import { type Nsqd, type NsqdOptions, startNsqd, startNsqlookupd } from '../../test/harness/nsq.js';
import { freePorts } from '../../test/harness/ports.js';
import { loadConfig } from '../core/config.js';
import { TOPICS } from '../core/messages.js';
import { deadTopic } from '../engines/dead-letters.js';
import { authServer } from '../engines/nsq/nsq-bench.js';
import type { Finding } from './doctor-finding.js';
import { nsqFindings } from './doctor-nsq.js';
import { runCli, temporaryDirectory } from './run-cli.js';

const skip = skipWithoutEngine('nsqd');

async function nsqd(t: TestContext, options: NsqdOptions = {}): Promise<Nsqd> {
  const started = await startNsqd(options);
  t.after(() => started.remove());
  return started;
}

async function findings(env: Readonly<Record<string, string>>): Promise<readonly Finding[]> {
  const config = loadConfig({ env, cores: 1 });
  assert.ok(config.ok);
  return nsqFindings(config.value);
}

/** The findings of a name, as `level: detail`. */
const said = (all: readonly Finding[], name: string): readonly string[] =>
  all.filter((one) => one.name === name).map(({ level, detail }) => `${level}: ${detail}`);

const of = (server: Nsqd): Record<string, string> => ({
  OPENBELL_NSQD: server.tcpAddress,
  OPENBELL_NSQD_HTTP: server.httpUrl,
});

const publish = (server: Nsqd, topic: string, body = '{}'): Promise<string> =>
  httpBody(`${server.httpUrl}/pub?topic=${topic}`, { body });

test('all is well at a fresh nsqd, and looking leaves nothing behind', { skip }, async (t) => {
  const server = await nsqd(t);
  const all = await findings(of(server));
  assert.deepEqual(
    all.filter(({ level }) => level !== 'ok'),
    [],
  );
  assert.match(said(all, 'nsqd').join(), /^ok: .*: version 1\.3\.0$/);
  assert.match(said(all, 'nsqd bounds').join(), /takes our largest message, 2500 in flight/);
  assert.equal(said(all, 'topic').length, 4);
  const { topics } = JSON.parse(await httpBody(`${server.httpUrl}/stats?format=json`)) as { topics: [] };
  assert.deepEqual(topics, [], 'no topic was made, nothing was published');
});

test('nsqlookupd tells where the HTTP ports are; one that is away is named', { skip }, async (t) => {
  const lookup = await startNsqlookupd();
  t.after(() => lookup.remove());
  const env = { OPENBELL_NSQLOOKUPD: lookup.httpUrl.replace('http://', '') };
  const empty = await findings(env);
  assert.match(said(empty, 'nsqlookupd').join(), /^warn: .* names no nsqd$/);
  assert.match(said(empty, 'nsqd').join(), /^fail: no nsqd is known/);
  const server = await nsqd(t, { lookupdTcpAddresses: [lookup.tcpAddress] });
  await publish(server, TOPICS.outcomes);
  let all = await findings(env);
  const lateMs = performance.now() + 20_000;
  while (said(all, 'topic').length === 0) {
    assert.ok(performance.now() < lateMs, 'it registers');
    all = await findings(env);
  }
  assert.match(said(all, 'nsqd').join(), /^ok: /);
  assert.match(
    said(all, 'topic').join('\n'),
    /warn: openbell\.outcomes: 1 wait, .*channel edge is not made yet/,
  );
  await lookup.stop();
  const away = await findings({ ...env, ...of(server) });
  assert.match(said(away, 'nsqlookupd').join(), /^warn: .*ECONNREFUSED/);
  assert.match(said(await findings(env), 'nsqlookupd').join(), /^fail: /);
});

test('an nsqd that is away, and one whose HTTP port nobody knows', { skip }, async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const server = await nsqd(t);
  const all = await findings({ OPENBELL_NSQD: `127.0.0.1:${port},${server.tcpAddress}` });
  assert.match(said(all, 'nsqd').join('\n'), /^fail: 127.*: ECONNREFUSED\nok: /);
  assert.match(said(all, 'nsqd depth').join('\n'), /^warn: .*nobody says.*\nwarn: .*nobody says/);
  await server.stop();
  const gone = await findings(of(server));
  assert.match(said(gone, 'nsqd depth').join(), /^fail: nsqd http:.*ECONNREFUSED/);
  const fixes = gone.filter(({ level }) => level === 'fail').map(({ fix }) => fix ?? '');
  assert.ok(
    fixes.every((fix) => fix.includes('OPENBELL_NSQD')),
    fixes.join(),
  );
});

test('dead letters are named by their topic; paused topics and strangers too', { skip }, async (t) => {
  const server = await nsqd(t, { memQueueSize: 0 });
  await publish(server, deadTopic(TOPICS.investments));
  await publish(server, deadTopic(TOPICS.investments));
  await publish(server, TOPICS.investments);
  await httpBody(`${server.httpUrl}/channel/create?topic=${TOPICS.investments}&channel=ledger`, { body: '' });
  await httpBody(`${server.httpUrl}/channel/pause?topic=${TOPICS.investments}&channel=ledger`, { body: '' });
  await httpBody(`${server.httpUrl}/topic/create?topic=${TOPICS.balances}`, { body: '' });
  await httpBody(`${server.httpUrl}/channel/create?topic=${TOPICS.balances}&channel=spy`, { body: '' });
  const all = await findings(of(server));
  assert.deepEqual(said(all, 'dead letters'), ['warn: openbell.investments.dead: 2 messages were put aside']);
  const topics = said(all, 'topic');
  assert.match(topics[0] ?? '', /^fail: openbell\.investments: 1 wait, .*it is paused$/);
  assert.match(topics[2] ?? '', /^warn: openbell\.balances: .*besides edge there is channel spy/);
});

test('bounds that are smaller than ours', { skip }, async (t) => {
  const server = await nsqd(t, { maxMsgSizeBytes: 65_536, maxRdyCount: 100 });
  const bounds = said(await findings(of(server)), 'nsqd bounds');
  assert.match(bounds[0] ?? '', /^fail: .*-max-rdy-count 100, and 1024 are asked for/);
  assert.match(bounds[1] ?? '', /^warn: .*-max-msg-size 65536/);
  const hasty = await nsqd(t, { args: ['-max-msg-timeout=5s'] });
  assert.match(said(await findings(of(hasty)), 'nsqd').join(), /^fail: .*E_BAD_BODY.*msg timeout/i);
});

test('over TLS and with a secret: let in, and told what is wrong', { skip }, async (t) => {
  const made = await makeCertificates();
  t.after(() => made.remove());
  const auth = await authServer(t, 'open sesame');
  const server = await nsqd(t, {
    tls: { certificates: made, clientCertificate: true },
    args: [`-auth-http-address=${auth}`],
  });
  const trusted = {
    ...of(server),
    OPENBELL_NSQ_TLS_CA: made.ca,
    OPENBELL_NSQ_TLS_CERT: made.clientCert,
    OPENBELL_NSQ_TLS_KEY: made.clientKey,
  };
  const well = await findings({ ...trusted, OPENBELL_NSQ_AUTH_SECRET: 'open sesame' });
  assert.match(said(well, 'nsqd').join(), /^ok: .*version 1\.3\.0, TLS, authenticated$/);
  assert.equal(said(well, 'topic').length, 4, 'its HTTP port is read over TLS as well');
  const wrong = await findings({ ...trusted, OPENBELL_NSQ_AUTH_SECRET: 'wrong' });
  assert.match(said(wrong, 'nsqd').join(), /^fail: .*E_UNAUTHORIZED|E_AUTH/);
  assert.match(wrong.find(({ level }) => level === 'fail')?.fix ?? '', /OPENBELL_NSQ_AUTH_SECRET/);
  assert.match(said(await findings(trusted), 'nsqd').join(), /^fail: .*it asks for a secret$/);
  const plain = await findings(of(server));
  assert.equal(plain.find(({ name }) => name === 'nsqd')?.level, 'fail');
  assert.match(plain.find(({ name }) => name === 'nsqd')?.fix ?? '', /OPENBELL_NSQ_TLS_CA/);
});

test('the command: exit 1 with an nsqd that is away', { skip }, async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const env = { OPENBELL_DATA_DIR: temporaryDirectory(t), OPENBELL_NSQD: `127.0.0.1:${port}` };
  const { code, stdout } = await runCli(['doctor'], env);
  assert.equal(code, 1);
  assert.match(
    stdout,
    /^fail {2}nsqd {12}127\.0\.0\.1:\d+: ECONNREFUSED\n +-> start it, or see OPENBELL_NSQD/m,
  );
});
