import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { toolPath } from '../harness/tools.js';

const SCRIPT = fileURLToPath(new URL('../../../deploy/engines/engines', import.meta.url));
/** What the script needs besides the tools that it asks for by name. */
const BASIC = [
  'bash',
  'cat',
  'cut',
  'dirname',
  'env',
  'flock',
  'head',
  'mkdir',
  'mv',
  'realpath',
  'rm',
  'sed',
  'sha256sum',
  'sleep',
];

const work = mkdtempSync(join(tmpdir(), 'openbell-engines-script-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** A folder for PATH with the basic tools, and fake ones that print what a real one would. */
function pathWith(name: string, fakes: Readonly<Record<string, string>> = {}): string {
  const folder = join(work, name);
  mkdirSync(folder);
  for (const tool of BASIC) symlinkSync(toolPath(tool) ?? assert.fail(tool), join(folder, tool));
  for (const [tool, prints] of Object.entries(fakes)) {
    const file = join(folder, tool);
    writeFileSync(file, `#!/bin/sh\necho '${prints}' >&2\n`);
    chmodSync(file, 0o755);
  }
  return folder;
}

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

function engines(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(SCRIPT, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ENGINES_CACHE: join(work, 'cache'), ...env },
  });
  return { code: status, output: `${stdout}${stderr}` };
}

test('a command or an engine that is not there is named', () => {
  assert.deepEqual(engines(['launch']).code, 64);
  assert.match(engines(['launch']).output, /there is no command "launch"/);
  const { code, output } = engines(['install', 'kafka']);
  assert.equal(code, 64);
  assert.match(output, /there is no engine "kafka"; there are nsq etcd cassandra/);
  assert.equal(engines(['help']).code, 0);
});

test('a toolchain that is missing is named, with the package that brings it', () => {
  const PATH = pathWith('bare');
  for (const [engine, message] of [
    ['nsq', /go is missing; .*apt-get install golang-go/],
    ['etcd', /apt-get is missing/],
    ['cassandra', /java is missing; .*apt-get install openjdk-17/],
  ] as const) {
    const { code, output } = engines(['install', engine], { PATH });
    assert.equal(code, 69, output);
    assert.match(output, message);
  }
});

test('a Java of another version is refused, and so is a Cassandra without Maven', () => {
  const newer = pathWith('newer-java', { java: 'openjdk version "21.0.2" 2024-01-16' });
  const refused = engines(['install', 'cassandra'], { PATH: newer });
  assert.equal(refused.code, 69);
  assert.match(refused.output, /java is Java 21; Cassandra \S+ needs 17: set JAVA_HOME/);
  const PATH = pathWith('no-maven', { java: 'openjdk version "17.0.15" 2025-04-15' });
  const { code, output } = engines(['install', 'cassandra'], { PATH });
  assert.equal(code, 69);
  assert.match(output, /mvn is missing; .*apt-get install maven/);
});

test('an engine of another version than the wanted one is not taken for installed', () => {
  const bin = join(work, 'cache/etcd/3.4/bin');
  mkdirSync(bin, { recursive: true });
  for (const [name, prints] of [
    ['etcd', 'etcd Version: 3.5.1'],
    ['etcdctl', 'etcdctl version: 3.5.1'],
  ] as const) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho '${prints}'\n`, { mode: 0o755 });
  }
  assert.match(engines(['status', 'etcd']).output, /etcd: not installed/);
  for (const name of ['etcd', 'etcdctl']) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho '${name} version: 3.4.99'\n`, { mode: 0o755 });
  }
  writeFileSync(join(bin, 'etcd'), "#!/bin/sh\necho 'etcd Version: 3.4.99'\n", { mode: 0o755 });
  assert.match(engines(['status', 'etcd']).output, /etcd: installed/);
});

/** Field 22 of /proc/PID/stat, as the script reads it. */
function startedAt(pid: number): string {
  const { stdout } = spawnSync(
    'bash',
    ['-c', `. "$0"; started_at ${pid}`, SCRIPT.replace(/engines$/, 'common.sh')],
    {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ROOT: work },
    },
  );
  return stdout.trim();
}

function writePid(pid: number, started: string): void {
  mkdirSync(join(work, 'cache/run'), { recursive: true });
  writeFileSync(join(work, 'cache/run/etcd.pid'), `${pid} ${started}\n`);
}

test('stop ends the process that was started, and never another that has its pid', async () => {
  const child: ChildProcess = spawn('sleep', ['60']);
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('exit', (_, signal) => resolve(signal)),
  );
  try {
    const pid = child.pid ?? assert.fail('it has no pid');
    const started = startedAt(pid);
    assert.match(started, /^\d+$/);
    writePid(pid, `${Number.parseInt(started, 10) - 1}`);
    assert.match(engines(['stop', 'etcd']).output, /etcd does not run/);
    assert.equal(existsSync(join(work, 'cache/run/etcd.pid')), false);
    assert.equal(child.exitCode ?? child.signalCode, null);

    writePid(pid, started);
    const { code, output } = engines(['wipe', 'etcd']);
    assert.equal(code, 75, output);
    assert.match(output, /etcd runs: stop etcd first/);
    assert.match(engines(['stop', 'etcd']).output, /etcd is stopped/);
    assert.equal(await ended, 'SIGTERM');
  } finally {
    child.kill('SIGKILL');
  }
});
