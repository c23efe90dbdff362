import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Certificates, makeCertificates, strangerTo } from './certificates.js';
import { etcdCommand, skipWithoutEngine } from './engine-files.js';
import { type Etcd, startEtcd } from './etcd.js';
import { httpBody, httpCall } from './http-call.js';

const skip = skipWithoutEngine('etcd');

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function call(etcd: Etcd, path: string, body: object, certificates?: Certificates): Promise<unknown> {
  return JSON.parse(
    await httpBody(`${etcd.clientUrl}/v3/${path}`, {
      body: JSON.stringify(body),
      ...(certificates ? { certificates } : {}),
    }),
  );
}

const put = (etcd: Etcd, key: string, value: string, certificates?: Certificates): Promise<unknown> =>
  call(etcd, 'kv/put', { key: base64(key), value: base64(value) }, certificates);

async function get(etcd: Etcd, key: string, certificates?: Certificates): Promise<string | undefined> {
  const { kvs } = (await call(etcd, 'kv/range', { key: base64(key) }, certificates)) as {
    kvs?: readonly { value: string }[];
  };
  return kvs?.[0] && Buffer.from(kvs[0].value, 'base64').toString();
}

test('etcd: killed at once after a put, it comes back on its port with the value', { skip }, async () => {
  const etcd = await startEtcd();
  try {
    await put(etcd, 'epoch', '7');
    const first = etcd.pid;
    assert.deepEqual(await etcd.kill(), { code: null, signal: 'SIGKILL' });
    await assert.rejects(get(etcd, 'epoch'), { code: 'ECONNREFUSED' });
    await etcd.restart();
    assert.notEqual(etcd.pid, first);
    assert.equal(await get(etcd, 'epoch'), '7');
    // The same through etcd's own client.
    const { stdout } = await promisify(execFile)(
      etcdCommand('etcdctl'),
      ['--endpoints', etcd.clientAddress, 'get', 'epoch', '--print-value-only'],
      { env: { ETCDCTL_API: '3' } },
    );
    assert.equal(stdout, '7\n');
  } finally {
    await etcd.remove();
  }
});

test('etcd: stopped in order it leaves no process, and removed no file', { skip }, async () => {
  const etcd = await startEtcd();
  const { pid, directory } = etcd;
  await put(etcd, 'a', 'b');
  await etcd.stop();
  assert.equal(etcd.isRunning(), false);
  assert.equal(existsSync(`/proc/${pid}`), false);
  await etcd.restart();
  assert.equal(await get(etcd, 'a'), 'b');
  await etcd.remove();
  assert.equal(existsSync(`/proc/${etcd.pid}`), false);
  assert.equal(existsSync(directory), false);
});

test('etcd: paused it answers nothing; resumed it has what it had', { skip }, async () => {
  const etcd = await startEtcd({ heartbeatIntervalMs: 50, electionTimeoutMs: 500 });
  try {
    await put(etcd, 'a', 'b');
    await etcd.pause();
    await assert.rejects(httpCall(`${etcd.clientUrl}/health`, { timeoutMs: 300 }), { name: 'AbortError' });
    etcd.resume();
    await etcd.waitReady();
    assert.equal(await get(etcd, 'a'), 'b');
  } finally {
    await etcd.remove();
  }
});

test('etcd: with a shorter election timeout a lease may be as short as a second', { skip }, async () => {
  const granted = async (etcd: Etcd): Promise<number> =>
    Number.parseInt(((await call(etcd, 'lease/grant', { TTL: 1 })) as { TTL: string }).TTL, 10);
  const usual = await startEtcd();
  try {
    assert.equal(await granted(usual), 2);
  } finally {
    await usual.remove();
  }
  const quick = await startEtcd({ heartbeatIntervalMs: 50, electionTimeoutMs: 500 });
  try {
    assert.equal(await granted(quick), 1);
  } finally {
    await quick.remove();
  }
});

test('etcd: a full database refuses a put and says so', { skip }, async () => {
  const etcd = await startEtcd({ quotaBackendBytes: 65_536 });
  try {
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await put(etcd, `key-${i}`, 'x'.repeat(10_000));
    };
    await assert.rejects(fill(), /database space exceeded/);
  } finally {
    await etcd.remove();
  }
});

test('etcd with TLS: only over TLS, and only for a client of the same authority', { skip }, async () => {
  const [ours, others] = await Promise.all([makeCertificates(), makeCertificates('stranger')]);
  try {
    const etcd = await startEtcd({ tls: { certificates: ours, clientCertificate: true } });
    try {
      await put(etcd, 'a', 'b', ours);
      assert.equal(await get(etcd, 'a', ours), 'b');
      await assert.rejects(get(etcd, 'a', strangerTo(ours, others)));
      await assert.rejects(httpBody(`http://${etcd.clientAddress}/health`));
    } finally {
      await etcd.remove();
    }
    const open = await startEtcd({ tls: { certificates: ours } });
    try {
      await put(open, 'a', 'b', strangerTo(ours, others));
    } finally {
      await open.remove();
    }
  } finally {
    await Promise.all([ours.remove(), others.remove()]);
  }
});
