// `openbell doctor` at a real etcd: what is well, each thing that is not, and what to do about it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { makeCertificates } from '../../test/harness/certificates.js';
import { etcdCommand, skipWithoutEngine } from '../../test/harness/engine-files.js';
import { type Etcd, type EtcdOptions, startEtcd } from '../../test/harness/etcd.js';
import { freePorts } from '../../test/harness/ports.js';
import { loadConfig } from '../core/config.js';
import { EtcdClient } from '../engines/etcd/etcd-client.js';
import { etcdFindings } from './doctor-etcd.js';
import type { Finding } from './doctor-finding.js';

const skip = skipWithoutEngine('etcd');
const QUOTA_BYTES = 16 * 1_048_576;

async function etcd(t: TestContext, options: EtcdOptions = {}): Promise<Etcd> {
  const started = await startEtcd(options);
  t.after(() => started.remove());
  return started;
}

async function findings(env: Readonly<Record<string, string>>): Promise<readonly Finding[]> {
  const config = loadConfig({ env, cores: 1 });
  assert.ok(config.ok);
  return etcdFindings(config.value);
}

/** The findings of a name, as `level: detail`. */
const said = (all: readonly Finding[], name: string): string =>
  all
    .filter((one) => one.name === name)
    .map(({ level, detail }) => `${level}: ${detail}`)
    .join('\n');

const fixOf = (all: readonly Finding[], name: string): string =>
  all.find((one) => one.name === name)?.fix ?? '';

test('one that is well; who owns the rounds, and for how long; nothing is written', { skip }, async (t) => {
  const server = await etcd(t);
  const env = { OPENBELL_ETCD: server.clientAddress };
  const all = await findings(env);
  assert.match(said(all, 'etcd'), /^ok: .*: version 3\.\d+\.\d+, leader$/);
  assert.match(said(all, 'etcd room'), /^ok: .*: 1 of 2048 MiB$/);
  assert.match(said(all, 'etcd clock'), /^ok: /);
  assert.match(said(all, 'etcd members'), /^warn: 1 members: test; the loss of one/);
  assert.equal(said(all, 'etcd access'), 'ok: may read and write, without a user');
  assert.equal(said(all, 'rounds owner'), 'warn: nobody');
  const client = new EtcdClient({ endpoints: [server.clientAddress], tls: null, login: null });
  t.after(() => client.close());
  const nothing = await client.read([{ list: 'openbell/' }]);
  assert.deepEqual(nothing.ok && nothing.value, [[]]);
  const lease = await client.grant(30);
  assert.ok(lease.ok);
  const value = JSON.stringify({ node: 'north', epoch: 7, since: '2026-11-28T10:00:00.000Z' });
  const put = { put: 'openbell/edge/owner', value, lease: lease.value.id };
  assert.ok((await client.txn({ when: [], change: [put], otherwise: [] })).ok);
  assert.match(
    said(await findings(env), 'rounds owner'),
    /^ok: north, epoch 7, since 2026-11-28T10:00:00.000Z; its lease has (29|30) s left$/,
  );
  assert.equal(said(await findings({ ...env, OPENBELL_CLUSTER: 'other' }), 'rounds owner'), 'warn: nobody');
});

test('an endpoint that is away is doubtful beside others, and bad alone', { skip }, async (t) => {
  const server = await etcd(t);
  const [port] = (await freePorts(1)) as [number];
  const away = `127.0.0.1:${port}`;
  const both = await findings({ OPENBELL_ETCD: `${away},${server.clientAddress}` });
  assert.match(said(both, 'etcd'), new RegExp(`^warn: etcd at ${away}: .*\nok: `));
  assert.match(said(both, 'etcd access'), /^ok/, 'the one that answers is asked');
  const alone = await findings({ OPENBELL_ETCD: away });
  assert.deepEqual(
    alone.map(({ name, level }) => [name, level]),
    [['etcd', 'fail']],
  );
  assert.match(fixOf(alone, 'etcd'), /OPENBELL_ETCD/);
});

test('a database that is full: the alarm, the room, and what to do', { skip }, async (t) => {
  const server = await etcd(t, { quotaBackendBytes: QUOTA_BYTES });
  const client = new EtcdClient({ endpoints: [server.clientAddress], tls: null, login: null });
  t.after(() => client.close());
  const value = 'x'.repeat(1_000_000);
  let written = 0;
  const put = { put: 'filler', value };
  while ((await client.txn({ when: [], change: [put], otherwise: [] })).ok)
    assert.ok(++written < 64, 'the quota is reached');
  const all = await findings({ OPENBELL_ETCD: server.clientAddress });
  assert.match(said(all, 'etcd alarm'), /^fail: NOSPACE/);
  assert.match(fixOf(all, 'etcd alarm'), /etcdctl compact.*alarm disarm/);
  assert.match(said(all, 'etcd room'), /^warn: .*: \d+ of 16 MiB$/);
});

test('users: who may not write is told so, and a password in plain text too', { skip }, async (t) => {
  const server = await etcd(t);
  const ctl = (...args: string[]): Promise<unknown> =>
    promisify(execFile)(etcdCommand('etcdctl'), [`--endpoints=${server.clientUrl}`, ...args], {
      env: { ETCDCTL_API: '3' },
    });
  await ctl('user', 'add', 'root:root-password');
  await ctl('user', 'grant-role', 'root', 'root');
  await ctl('role', 'add', 'reader');
  await ctl('role', 'grant-permission', 'reader', '--prefix=true', 'read', 'openbell/');
  await ctl('user', 'add', 'node:secret');
  await ctl('user', 'grant-role', 'node', 'reader');
  await ctl('auth', 'enable');
  const env = {
    OPENBELL_ETCD: server.clientAddress,
    OPENBELL_ETCD_USERNAME: 'node',
    OPENBELL_ETCD_PASSWORD: 'secret',
  };
  const reader = await findings(env);
  assert.match(said(reader, 'etcd access'), /^fail: .*permission denied/);
  assert.match(fixOf(reader, 'etcd access'), /read and write on keys that begin with openbell\//);
  const stranger = await findings({ ...env, OPENBELL_ETCD_PASSWORD: 'wrong' });
  assert.ok(
    stranger.some(({ level, fix }) => level === 'fail' && /OPENBELL_ETCD_USERNAME/.test(fix ?? '')),
    JSON.stringify(stranger),
  );
  await ctl(
    '--user=root:root-password',
    'role',
    'grant-permission',
    'reader',
    '--prefix=true',
    'readwrite',
    'openbell/',
  );
  assert.match(
    said(await findings(env), 'etcd access'),
    /^warn: may read and write, as user node; the password/,
  );
});

test('TLS: with a certificate that etcd asks for, and without', { skip }, async (t) => {
  const made = await makeCertificates();
  t.after(() => made.remove());
  const server = await etcd(t, { tls: { certificates: made, clientCertificate: true } });
  const env = { OPENBELL_ETCD: server.clientAddress, OPENBELL_ETCD_TLS_CA: made.ca };
  const shown = { OPENBELL_ETCD_TLS_CERT: made.clientCert, OPENBELL_ETCD_TLS_KEY: made.clientKey };
  const well = await findings({ ...env, ...shown });
  assert.equal(said(well, 'etcd access'), 'ok: may read and write, without a user, over TLS');
  assert.match(said(well, 'etcd clock'), /^ok/, 'its metrics are read over TLS as well');
  const bare = await findings(env);
  assert.match(said(bare, 'etcd'), /^fail: /);
  assert.match(fixOf(bare, 'etcd'), /OPENBELL_ETCD_TLS_/);
  const missing = await findings({ ...env, OPENBELL_ETCD_TLS_CA: '/nowhere/ca.pem' });
  assert.match(said(missing, 'etcd'), /^fail: OPENBELL_ETCD_TLS_CA cannot be read/);
});
