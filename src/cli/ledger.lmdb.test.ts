import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cleanEnv, runCli, temporaryDirectory } from './run-cli.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const SECRET = 'a-secret-of-more-than-thirty-two-bytes';

const envOf = (dataDir: string): Record<string, string> => {
  return { OPENBELL_DATA_DIR: dataDir, OPENBELL_JWT_SECRET: SECRET, OPENBELL_LEDGER_PORT: '0' };
};

/** The first log line of a process that says this. */
async function logged(child: ChildProcess, message: string): Promise<Record<string, unknown>> {
  for await (const line of createInterface({ input: child.stderr! })) {
    const entry = JSON.parse(line) as Record<string, unknown>;
    if (entry['msg'] === message) return entry;
  }
  throw new Error(`it never logged "${message}"`);
}

async function startLedger(t: TestContext, dataDir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, 'ledger'], { env: cleanEnv(envOf(dataDir)), stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  const { ledgerPort } = await logged(child, 'ready');
  assert.equal(typeof ledgerPort, 'number');
  return child;
}

test('SIGTERM and SIGINT end a process in order, exit 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const child = await startLedger(t, temporaryDirectory(t));
    child.kill(signal);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  }
});

test('a second process in the same data directory: one line, exit 75, and the first goes on', async (t) => {
  const dataDir = temporaryDirectory(t);
  const first = await startLedger(t, dataDir);
  const { code, stderr } = await runCli(['ledger'], envOf(dataDir));
  assert.equal(code, 75);
  assert.match(stderr, /^openbell: .* in use by another ledger process \(pid \d+\)\n$/);
  first.kill('SIGTERM');
  assert.deepEqual(await once(first, 'exit'), [0, null]);
});

test('a supervised process ends when its parent does, and leaves SIGINT to it', async (t) => {
  const env = cleanEnv(envOf(temporaryDirectory(t)));
  const child = fork(MAIN, ['ledger', '--supervised'], { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  t.after(() => child.kill('SIGKILL'));
  child.stderr?.resume();
  const [message] = (await once(child, 'message')) as [{ type: string; ports: { ledgerPort: number } }];
  assert.equal(message.type, 'ready');
  child.kill('SIGINT');
  const alive = await fetch(`http://127.0.0.1:${message.ports.ledgerPort}/healthz`);
  assert.equal(alive.status, 200, 'it goes on after SIGINT');
  // What the death of a parent does to the channel.
  child.disconnect();
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('a supervised process tells its parent why it could not start', async (t) => {
  const env = {
    ...cleanEnv(envOf(temporaryDirectory(t))),
    OPENBELL_ETCD_TLS_CERT: 'a',
    OPENBELL_ETCD: 'a:2379',
  };
  const child = fork(MAIN, ['ledger', '--supervised'], { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exited = once(child, 'exit');
  const [message] = (await once(child, 'message')) as [{ type: string; message: string }];
  assert.equal(message.type, 'failed');
  assert.match(message.message, /OPENBELL_ETCD_TLS_CERT and OPENBELL_ETCD_TLS_KEY belong together/);
  assert.deepEqual(await exited, [78, null]);
  assert.equal(stderr, '', 'the parent prints the one line');
});
