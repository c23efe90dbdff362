import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Certificates, makeCertificates, strangerTo } from './certificates.js';
import { nsqCommand, skipWithoutEngine } from './engine-files.js';
import { httpBody, httpCall } from './http-call.js';
import { type Nsqd, startNsqd, startNsqlookupd } from './nsq.js';

const skip = skipWithoutEngine('nsqd');
const MESSAGES = 50;
const DEADLINE_MS = 15_000;
const FRAME_ERROR = 1;
const FRAME_MESSAGE = 2;

interface Stats {
  readonly topics: readonly {
    readonly topic_name: string;
    readonly depth: number;
    readonly channels: readonly { readonly channel_name: string; readonly depth: number }[];
  }[];
}

async function stats(nsqd: Nsqd): Promise<Stats> {
  return JSON.parse(await httpBody(`${nsqd.httpUrl}/stats?format=json`)) as Stats;
}

/** Messages that wait in the channel `archive` of topic `words`. */
async function depth(nsqd: Nsqd): Promise<number> {
  const topic = (await stats(nsqd)).topics.find(({ topic_name }) => topic_name === 'words');
  return topic?.channels.find(({ channel_name }) => channel_name === 'archive')?.depth ?? -1;
}

/** Makes the topic and its channel, then publishes `count` messages of one word each. */
async function publish(nsqd: Nsqd, count: number): Promise<void> {
  await httpBody(`${nsqd.httpUrl}/topic/create?topic=words`, { body: '' });
  await httpBody(`${nsqd.httpUrl}/channel/create?topic=words&channel=archive`, { body: '' });
  const body = Array.from({ length: count }, (_, i) => `word-${i}`).join('\n');
  assert.equal(await httpBody(`${nsqd.httpUrl}/mpub?topic=words`, { body }), 'OK');
  await until(async () => (await depth(nsqd)) === count, 'the messages are in the channel');
}

/** Asks until it is so. */
async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await isSo())) assert.ok(performance.now() < deadline, `within ${DEADLINE_MS} ms: ${what}`);
}

/** Reads `count` messages of the channel with NSQ's own consumer, over TLS when there are certificates. */
async function tail(nsqd: Nsqd, count: number, certificates?: Certificates): Promise<string[]> {
  const tls = certificates && {
    tls_v1: 'true',
    tls_root_ca_file: certificates.ca,
    tls_cert: certificates.clientCert,
    tls_key: certificates.clientKey,
  };
  const args = [
    '-topic=words',
    '-channel=archive',
    `-nsqd-tcp-address=${nsqd.tcpAddress}`,
    `-n=${count}`,
    ...Object.entries(tls ?? {}).map(([name, value]) => `-consumer-opt=${name},${value}`),
  ];
  const { stdout } = await promisify(execFile)(nsqCommand('nsq_tail'), args, { timeout: DEADLINE_MS });
  return stdout.trim().split('\n');
}

interface Received {
  readonly attempts: number;
  readonly body: string;
  readonly atMs: number;
}

/** Subscribes in plain TCP and takes `count` messages without answering any. Rejects with what nsqd has against it. */
function receive(nsqd: Nsqd, count: number, ready = 1): Promise<Received[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(nsqd.tcpPort, nsqd.host);
    const received: Received[] = [];
    let pending = Buffer.alloc(0);
    const end = (error?: Error): void => {
      socket.destroy();
      if (error) reject(error);
      else resolve(received);
    };
    socket.setTimeout(DEADLINE_MS, () => end(new Error('nothing comes')));
    socket.once('error', end);
    socket.write(`  V2SUB words archive\nRDY ${ready}\n`);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const frame = pending.subarray(4, 4 + pending.readInt32BE(0));
        pending = pending.subarray(4 + frame.length);
        const type = frame.readInt32BE(0);
        if (type === FRAME_ERROR) return end(new Error(frame.toString('utf8', 4)));
        if (type !== FRAME_MESSAGE) continue;
        // Time of 8 bytes, attempts of 2, id of 16, and the rest is the body.
        received.push({
          attempts: frame.readUInt16BE(12),
          body: frame.toString('utf8', 30),
          atMs: performance.now(),
        });
        if (received.length === count) return end();
      }
    });
  });
}

test('nsqd: killed with its queue on disk, it comes back on its port with every message', {
  skip,
}, async () => {
  const nsqd = await startNsqd({ memQueueSize: 0, syncEvery: 1 });
  try {
    await publish(nsqd, MESSAGES);
    const first = nsqd.pid;
    assert.deepEqual(await nsqd.kill(), { code: null, signal: 'SIGKILL' });
    assert.equal(nsqd.isRunning(), false);
    await assert.rejects(httpCall(`${nsqd.httpUrl}/ping`), { code: 'ECONNREFUSED' });
    await nsqd.restart();
    assert.notEqual(nsqd.pid, first);
    assert.equal(await depth(nsqd), MESSAGES);
    const words = await tail(nsqd, MESSAGES);
    assert.deepEqual(words.toSorted(), Array.from({ length: MESSAGES }, (_, i) => `word-${i}`).toSorted());
  } finally {
    await nsqd.remove();
  }
});

test('nsqd: killed with its queue in memory, it has lost the messages', { skip }, async () => {
  const nsqd = await startNsqd({ memQueueSize: 1_000 });
  try {
    await publish(nsqd, MESSAGES);
    await nsqd.kill();
    await nsqd.restart();
    assert.equal(await depth(nsqd), 0);
  } finally {
    await nsqd.remove();
  }
});

test('nsqd: stopped in order it keeps its messages, and leaves no process and at last no file', {
  skip,
}, async () => {
  const nsqd = await startNsqd();
  await publish(nsqd, MESSAGES);
  const { pid, directory } = nsqd;
  assert.deepEqual(await nsqd.stop(), { code: 0, signal: null });
  assert.equal(existsSync(`/proc/${pid}`), false);
  await nsqd.restart();
  assert.equal(await depth(nsqd), MESSAGES);
  const second = nsqd.pid;
  await nsqd.remove();
  assert.equal(existsSync(`/proc/${second}`), false);
  assert.equal(existsSync(directory), false);
});

test('nsqd: paused it takes connections and answers nothing; resumed it answers', { skip }, async () => {
  const nsqd = await startNsqd();
  try {
    await nsqd.pause();
    await assert.rejects(httpCall(`${nsqd.httpUrl}/ping`, { timeoutMs: 300 }), { name: 'AbortError' });
    nsqd.resume();
    await nsqd.waitReady();
    await nsqd.pause();
    await nsqd.stop(); // also a paused one
    assert.equal(nsqd.isRunning(), false);
  } finally {
    await nsqd.remove();
  }
});

test('nsqd: an unanswered message goes out again after the message timeout', { skip }, async () => {
  const nsqd = await startNsqd({ msgTimeoutMs: 1_000 });
  try {
    await publish(nsqd, 1);
    const [first, second] = await receive(nsqd, 2);
    assert.deepEqual([first?.attempts, second?.attempts], [1, 2]);
    assert.equal(second?.body, 'word-0');
    const waitedMs = (second?.atMs ?? 0) - (first?.atMs ?? 0);
    assert.ok(waitedMs > 900, `${waitedMs} ms`); // and not after the usual minute, for which nobody waits here
  } finally {
    await nsqd.remove();
  }
});

test('nsqd: bounds that a test sets are bounds', { skip }, async () => {
  const nsqd = await startNsqd({ maxMsgSizeBytes: 100, maxRdyCount: 7, args: ['-max-body-size=200'] });
  try {
    await publish(nsqd, 1);
    const answer = async (path: string, length: number): Promise<string> =>
      (await httpCall(`${nsqd.httpUrl}/${path}?topic=words`, { body: 'x'.repeat(length) })).body;
    assert.equal(await answer('pub', 100), 'OK');
    assert.match(await answer('pub', 101), /MSG_TOO_BIG/);
    assert.match(await answer('mpub', 201), /BODY_TOO_BIG/);
    await assert.rejects(receive(nsqd, 1, 8), /RDY count 8 out of range 0-7/);
    assert.equal((await receive(nsqd, 1, 7)).length, 1);
  } finally {
    await nsqd.remove();
  }
});

test('nsqlookupd: names the nsqd that has registered a topic; after a kill it knows nothing', {
  skip,
}, async () => {
  const lookupd = await startNsqlookupd({ inactiveProducerTimeoutMs: 60_000 });
  try {
    const nsqd = await startNsqd({ lookupdTcpAddresses: [lookupd.tcpAddress] });
    try {
      await publish(nsqd, 1);
      const producers = async (): Promise<readonly { tcp_port: number }[]> => {
        const { body } = await httpCall(`${lookupd.httpUrl}/lookup?topic=words`);
        return (JSON.parse(body) as { producers?: readonly { tcp_port: number }[] }).producers ?? [];
      };
      const isNamed = async (): Promise<boolean> => (await producers())[0]?.tcp_port === nsqd.tcpPort;
      await until(isNamed, 'the topic has its producer');
      await lookupd.kill();
      await lookupd.restart();
      assert.deepEqual(await producers(), []);
      // By itself an nsqd sees it at its second ping, after up to 30 s; started anew it registers at once.
      await nsqd.restart();
      await until(isNamed, 'the nsqd has registered again');
    } finally {
      await nsqd.remove();
    }
  } finally {
    await lookupd.remove();
  }
});

test('nsqd with TLS: only over TLS, and only for a client of the same authority', { skip }, async () => {
  const [ours, others] = await Promise.all([makeCertificates(), makeCertificates('stranger')]);
  try {
    const nsqd = await startNsqd({ tls: { certificates: ours, clientCertificate: true } });
    try {
      const publishUrl = `${nsqd.httpUrl}/pub?topic=words`;
      assert.equal(await httpBody(publishUrl, { body: 'secret', certificates: ours }), 'OK');
      await assert.rejects(httpCall(publishUrl, { body: 'secret', certificates: strangerTo(ours, others) }));
      await assert.rejects(receive(nsqd, 1), /TLS required/);
      assert.deepEqual(await tail(nsqd, 1, ours), ['secret']);
      await assert.rejects(tail(nsqd, 1, strangerTo(ours, others)));
    } finally {
      await nsqd.remove();
    }
    // Also where a client need not show a certificate, it must speak TLS.
    const open = await startNsqd({ tls: { certificates: ours } });
    try {
      await assert.rejects(receive(open, 1), /TLS required/);
      const publishUrl = `${open.httpUrl}/pub?topic=words`;
      const certificates = strangerTo(ours, others);
      assert.equal(await httpBody(publishUrl, { body: 'secret', certificates }), 'OK');
    } finally {
      await open.remove();
    }
  } finally {
    await Promise.all([ours.remove(), others.remove()]);
  }
});

test('an engine that does not start says why, and leaves nothing', { skip }, async () => {
  const usual = process.env['TMPDIR'];
  const own = mkdtempSync(join(tmpdir(), 'openbell-refused-'));
  process.env['TMPDIR'] = own;
  try {
    const refusal = /ended \(\d+\) before it was ready\n.*no-such-flag/s;
    await assert.rejects(startNsqd({ args: ['-no-such-flag'] }), refusal);
    assert.deepEqual(readdirSync(own), []);
  } finally {
    if (usual === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = usual;
    rmSync(own, { recursive: true, force: true });
  }
});

test('an engine does not outlive the process of its test, however that ends', { skip }, async () => {
  const harness = new URL('./nsq.js', import.meta.url).href;
  const program = `
    const { startNsqd } = await import(${JSON.stringify(harness)});
    const nsqd = await startNsqd();
    console.log(JSON.stringify({ pid: nsqd.pid, directory: nsqd.directory }));
    setInterval(() => undefined, 1_000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', program]);
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const { pid, directory } = JSON.parse(line.toString()) as { pid: number; directory: string };
  try {
    assert.ok(isRunning(pid));
    owner.kill('SIGKILL');
    await until(async () => !isRunning(pid), 'nsqd has ended');
  } finally {
    owner.kill('SIGKILL');
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Whether it runs: an orphan that has ended may stay listed until the first process of the machine takes note. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // not listed any more
  }
}
