// A real etcd with TLS, client certificates and users: who has them is let in, who has not is told so, and a token that
// etcd has forgotten is asked for again.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { EtcdClient, type EtcdSettings } from '../../src/engines/etcd/etcd-client.js';
import { EtcdKeys } from '../../src/engines/etcd/etcd-keys.js';
import { type Certificates, makeCertificates } from '../harness/certificates.js';
import { invest, nodeOf, openRound } from '../harness/cluster-bench.js';
import { metric } from '../harness/edge-metric.js';
import { etcdCommand, skipWithoutEngine } from '../harness/engine-files.js';
import { type Etcd, startEtcd } from '../harness/etcd.js';
import { ownershipOf, until } from '../harness/etcd-bench.js';

const skip = skipWithoutEngine('etcd');
/** Not the name of the client's certificate: etcd would take that for the user. */
const USER = 'node';
const PASSWORD = 'correct horse battery staple';
let etcd: Etcd;
let ours: Certificates;
let strangers: Certificates;

before(async () => {
  if (skip !== false) return;
  [ours, strangers] = await Promise.all([makeCertificates(), makeCertificates('stranger')]);
  etcd = await startEtcd({ tls: { certificates: ours, clientCertificate: true } });
  const ctl = (...args: string[]): Promise<unknown> =>
    promisify(execFile)(
      etcdCommand('etcdctl'),
      [
        `--endpoints=${etcd.clientUrl}`,
        `--cacert=${ours.ca}`,
        `--cert=${ours.clientCert}`,
        `--key=${ours.clientKey}`,
        ...args,
      ],
      { env: { ETCDCTL_API: '3' } },
    );
  await ctl('user', 'add', 'root:root-password');
  await ctl('user', 'grant-role', 'root', 'root');
  await ctl('role', 'add', 'openbell');
  await ctl('role', 'grant-permission', 'openbell', '--prefix=true', 'readwrite', 'openbell/');
  await ctl('user', 'add', `${USER}:${PASSWORD}`);
  await ctl('user', 'grant-role', USER, 'openbell');
  await ctl('auth', 'enable');
});
after(async () => {
  await etcd?.remove();
  await ours?.remove();
  await strangers?.remove();
});

function client(t: TestContext, change: Partial<EtcdSettings> = {}): EtcdClient {
  const made = new EtcdClient({
    endpoints: [etcd.clientAddress],
    tls: {
      ca: readFileSync(ours.ca),
      cert: readFileSync(ours.clientCert),
      key: readFileSync(ours.clientKey),
    },
    login: { username: USER, password: PASSWORD },
    ...change,
  });
  t.after(() => made.close());
  return made;
}

const failureOf = async (asked: EtcdClient, key = 'openbell/a'): Promise<string> => {
  const read = await asked.read([{ get: key }]);
  return read.ok ? 'let in' : read.error.code;
};

describe('an etcd with TLS and users', { skip }, () => {
  test('the right certificates and password are let in, to the keys that are theirs', async (t) => {
    const asked = client(t);
    assert.equal(await failureOf(asked), 'let in');
    assert.equal(await failureOf(asked, 'other/a'), 'refused');
    const owned = await ownershipOf(asked, new EtcdKeys('openbell'), 'one').acquire('ledger');
    assert.ok(owned.ok, JSON.stringify(owned));
    await owned.value.release();
  });

  test('a wrong password, no password, another authority, and no TLS are not', async (t) => {
    assert.equal(await failureOf(client(t, { login: { username: USER, password: 'x' } })), 'refused');
    assert.equal(await failureOf(client(t, { login: { username: 'nobody', password: 'x' } })), 'refused');
    assert.equal(await failureOf(client(t, { login: null })), 'refused');
    const tls = { ca: readFileSync(strangers.ca) };
    assert.equal(await failureOf(client(t, { tls, login: null })), 'unreachable');
    assert.equal(await failureOf(client(t, { tls: null })), 'unreachable');
  });

  test('a token that etcd has forgotten is asked for again, also by keepalives', async (t) => {
    const asked = client(t);
    const owned = await ownershipOf(asked, new EtcdKeys('openbell'), 'one', { ttlS: 20 }).acquire('ledger');
    assert.ok(owned.ok, JSON.stringify(owned));
    await etcd.kill();
    await etcd.restart();
    const { confirmed } = owned.value.renewals;
    await until(() => owned.value.renewals.confirmed > confirmed, 15_000);
    assert.equal(await failureOf(asked), 'let in');
    assert.ok((await owned.value.raiseAbove(40)).ok);
    await owned.value.release();
  });

  test('a whole node over TLS, as a user; with a wrong password it says so and ends with 78', async (t) => {
    const env = {
      OPENBELL_ETCD_TLS_CA: ours.ca,
      OPENBELL_ETCD_TLS_CERT: ours.clientCert,
      OPENBELL_ETCD_TLS_KEY: ours.clientKey,
      OPENBELL_ETCD_USERNAME: USER,
      OPENBELL_ETCD_PASSWORD: PASSWORD,
    };
    const options = { etcd: etcd.clientAddress, env };
    const { edge } = await nodeOf(t, 'openbell', 'one', options);
    await openRound(edge);
    assert.equal((await invest(edge, 'alice')).status, 201);
    const sequence = await metric(edge, 'openbell_journal_sequence');
    await until(async () => (await metric(edge, 'openbell_watermark_sequence')) === sequence);
    assert.ok(!edge.stderr().includes(PASSWORD));
    const wrong = { ...options, env: { ...env, OPENBELL_ETCD_PASSWORD: 'x' }, waitReady: false };
    const refused = await nodeOf(t, 'openbell', 'two', wrong);
    assert.equal((await refused.edge.exited).code, 78, refused.edge.stderr());
    assert.match(refused.edge.stderr(), /etcd at .*: .*authentication failed, invalid user ID or password/);
  });
});
