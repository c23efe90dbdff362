import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cleanEnv, runCli, temporaryDirectory } from './run-cli.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

interface Up {
  readonly child: ChildProcess;
  readonly welcome: Welcome;
  readonly logs: Interface;
  readonly env: Record<string, string>;
}

interface Welcome {
  readonly publicUrl: string;
  readonly adminUrl: string;
  readonly ledgerUrl: string;
  readonly round: { readonly id: string; readonly state: string };
  readonly curl: string;
}

/** Any free ports, as few threads as there can be, and small segments: a test is not a rush. */
async function startUp(t: TestContext, dataDir: string): Promise<Up> {
  const env = {
    OPENBELL_DATA_DIR: dataDir,
    OPENBELL_HOST: '127.0.0.1',
    OPENBELL_PORT: '0',
    OPENBELL_ADMIN_PORT: '0',
    OPENBELL_LEDGER_PORT: '0',
    OPENBELL_WORKERS: '1',
    OPENBELL_LEDGER_RATE: '0',
    OPENBELL_JOURNAL_SEGMENT_BYTES: '1048576',
  };
  const child = spawn(process.execPath, [MAIN, 'up', '--json'], { env: cleanEnv(env), stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  const [printed] = (await Promise.race([
    once(createInterface({ input: child.stdout! }), 'line'),
    once(child, 'exit').then(([code]) => assert.fail(`up ended with ${code}`)),
  ])) as [string];
  return {
    child,
    welcome: JSON.parse(printed) as Welcome,
    logs: createInterface({ input: child.stderr! }),
    env,
  };
}

/** Runs the line in a shell, as a person would paste it. */
async function paste(line: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', line]);
  return stdout;
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
}

test('an empty directory becomes an open round, a curl line that works, and an orderly stop', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'data');
  const { child, welcome } = await startUp(t, dataDir);
  assert.deepEqual(welcome.round, { id: 'demo', state: 'open' });
  assert.equal(statSync(join(dataDir, 'jwt-secret')).mode & 0o777, 0o600);
  assert.match(readFileSync(join(dataDir, 'jwt-secret'), 'utf8'), /^[0-9a-f]{64}\n$/);

  const answer = await paste(welcome.curl);
  assert.match(answer, /^HTTP\/1\.1 201 /);
  assert.match(answer, /"investor":"alice","amount":50000,"currency":"GBP","state":"accepted"/);
  assert.match(
    await paste(welcome.curl),
    /Idempotency-Replayed: true/i,
    'pasted twice, it is the same investment',
  );

  await t.test('a second up in the same directory: one line, exit 75', async () => {
    const second = await runCli(['up'], { OPENBELL_DATA_DIR: dataDir });
    assert.equal(second.code, 75);
    assert.match(
      second.stderr,
      /^openbell: .* in use by another up process \(pid \d+\): stop it first[^\n]*\n$/,
    );
  });
  await t.test('a port that is taken: one line that names it, exit 75', async () => {
    const { port } = new URL(welcome.adminUrl);
    const env = { OPENBELL_DATA_DIR: temporaryDirectory(t), OPENBELL_PORT: '0', OPENBELL_ADMIN_PORT: port };
    const second = await runCli(['up'], env);
    assert.equal(second.code, 75);
    assert.equal(second.stderr, `openbell: port ${port} is in use: free it, or set OPENBELL_ADMIN_PORT\n`);
  });
  await stop(child);

  const again = await startUp(t, dataDir);
  assert.deepEqual(again.welcome.round, { id: 'demo', state: 'open' });
  const next = await paste(again.welcome.curl);
  assert.match(next, /^HTTP\/1\.1 201 /);
  assert.match(next, /"investor":"bob"/, 'alice has invested already');
  await stop(again.child);
});

/** Follows the logs of all three processes; `ready` gives the process id of the next one of a role to be ready. */
function follow(logs: Interface): { ready(role: string, other?: number): Promise<number>; plain: string[] } {
  const entries: Record<string, unknown>[] = [];
  const plain: string[] = [];
  logs.on('line', (line) => {
    if (line.startsWith('{')) entries.push(JSON.parse(line) as Record<string, unknown>);
    else plain.push(line);
  });
  const find = (role: string, other: number | undefined): number | undefined =>
    entries.find((entry) => entry['role'] === role && entry['msg'] === 'ready' && entry['pid'] !== other)?.[
      'pid'
    ] as number;
  const ready = async (role: string, other?: number): Promise<number> => {
    let pid = find(role, other);
    while (pid === undefined) {
      await once(logs, 'line');
      pid = find(role, other);
    }
    return pid;
  };
  return { ready, plain };
}

test('a ledger that is killed is started again; when the edge is killed, all ends with an exit code', async (t) => {
  const { child, logs } = await startUp(t, temporaryDirectory(t));
  const { ready, plain } = follow(logs);
  const [edge, first] = [await ready('edge'), await ready('ledger')];
  process.kill(first, 'SIGKILL');
  const second = await ready('ledger', first);
  process.kill(edge, 'SIGKILL');
  const closed = once(logs, 'close');
  assert.deepEqual(await once(child, 'exit'), [70, null]);
  assert.throws(() => process.kill(second, 0), /ESRCH/, 'the ledger has ended too');
  await closed;
  assert.deepEqual(plain, ['openbell: edge was ended by SIGKILL']);
});

test('a stop while the ledger is just being started again is an orderly one', async (t) => {
  const { child, logs } = await startUp(t, temporaryDirectory(t));
  const { ready } = follow(logs);
  process.kill(await ready('ledger'), 'SIGKILL');
  const restarting = new Promise<void>((resolve) => {
    logs.on('line', (line) => line.includes('admission goes on') && resolve());
  });
  await restarting;
  await stop(child);
});

test('when up itself is killed, edge and ledger end by themselves, and it can be started again', async (t) => {
  const dataDir = temporaryDirectory(t);
  const { child, logs } = await startUp(t, dataDir);
  // The logs end when the last process that can write to them has ended.
  const closed = once(logs, 'close');
  logs.resume();
  child.kill('SIGKILL');
  await closed;
  const again = await startUp(t, dataDir);
  assert.equal(again.welcome.round.state, 'open');
  await stop(again.child);
});
