import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cql } from '../harness/cql.js';
import { CASSANDRA_LIB, etcdCommand, nsqCommand, skipWithoutEngine } from '../harness/engine-files.js';
import { httpBody } from '../harness/http-call.js';

const SCRIPT = fileURLToPath(new URL('../../../deploy/engines/engines', import.meta.url));
const skip = skipWithoutEngine('nsqd') || skipWithoutEngine('etcd') || skipWithoutEngine('cassandra');
const NAMES = ['cassandra', 'etcd', 'nsqadmin', 'nsqd', 'nsqlookupd'];
/** Keeps every port above the well-known ones, and below those that the kernel gives to clients. */
const OFFSET_MIN = 8_000;
const OFFSET_MAX = 23_000;

/** Whether a process runs. One that has ended stays in /proc until the first process of the machine has taken note. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // not in /proc any more
  }
}

describe('the script that starts, stops and wipes the engines', { skip }, () => {
  const cache = mkdtempSync(join(tmpdir(), 'openbell-engines-start-'));
  const offset = randomInt(OFFSET_MIN, OFFSET_MAX);
  const nsqd = `http://127.0.0.1:${4151 + offset}`;
  const etcd = `http://127.0.0.1:${2379 + offset}`;
  const cassandra = { host: '127.0.0.1', port: 9042 + offset };

  async function engines(...args: readonly string[]): Promise<{ code: number; output: string }> {
    const env = {
      ...process.env,
      ENGINES_CACHE: cache,
      ENGINES_PORT_OFFSET: `${offset}`,
    };
    return new Promise((resolve) => {
      execFile(SCRIPT, args, { env }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, output: `${stdout}${stderr}` });
      });
    });
  }

  /** Pids of what runs, by name. */
  function pids(): Record<string, number> {
    const folder = join(cache, 'run');
    return Object.fromEntries(
      readdirSync(folder).map((file) => [
        file.replace('.pid', ''),
        Number.parseInt(readFileSync(join(folder, file), 'utf8'), 10),
      ]),
    );
  }

  before(() => {
    // The programs that are installed already; data, logs and pid files of our own.
    for (const [name, file] of [
      ['nsq', nsqCommand('nsqd')],
      ['etcd', etcdCommand('etcd')],
      ['cassandra', join(CASSANDRA_LIB, '-')],
    ] as const) {
      symlinkSync(dirname(dirname(dirname(file))), join(cache, name));
    }
  });

  after(async () => {
    await engines('stop');
    rmSync(cache, { recursive: true, force: true });
  });

  test('start: each answers on its port, and starting again changes nothing', async () => {
    const first = await engines('start');
    assert.equal(first.code, 0, first.output);
    assert.equal(await httpBody(`${nsqd}/ping`), 'OK');
    assert.match(await httpBody(`${etcd}/health`), /true/);
    assert.equal((await cql(cassandra, ['SELECT key FROM system.local'])).length, 1);
    const started = pids();
    assert.deepEqual(Object.keys(started).toSorted(), NAMES);
    const second = await engines('start');
    assert.equal(second.code, 0, second.output);
    assert.equal(second.output.match(/runs already/g)?.length, NAMES.length);
    assert.deepEqual(pids(), started);
  });

  test('status tells what was killed; start brings it back with its data', async () => {
    const body = JSON.stringify({ key: 'YQ==', value: 'Yg==' });
    await httpBody(`${etcd}/v3/kv/put`, { body });
    process.kill(pids()['etcd'] ?? assert.fail('no pid of etcd'), 'SIGKILL');
    const deadline = performance.now() + 10_000;
    let output = '';
    while (!/etcd +stopped/.test(output)) {
      assert.ok(performance.now() < deadline, output);
      ({ output } = await engines('status'));
    }
    assert.equal(output.match(/ ready, pid/g)?.length, NAMES.length - 1, output);
    assert.equal((await engines('start', 'etcd')).code, 0);
    assert.match(await httpBody(`${etcd}/v3/kv/range`, { body: '{"key":"YQ=="}' }), /"value":"Yg=="/);
  });

  test('what runs is not wiped; what is stopped leaves no process, and wiped no data', async () => {
    assert.equal((await engines('wipe')).code, 75);
    const running = Object.values(pids());
    const { code, output } = await engines('stop');
    assert.equal(code, 0, output);
    assert.equal(output.match(/is stopped/g)?.length, NAMES.length, output);
    assert.deepEqual(running.filter(isAlive), []);
    assert.deepEqual(pids(), {});
    assert.equal((await engines('wipe')).code, 0);
    assert.deepEqual(readdirSync(join(cache, 'data')), []);
  });

  test('a port that somebody else has is a clear refusal, and they are left alone', async () => {
    const other = createServer().listen(2379 + offset, '127.0.0.1');
    await once(other, 'listening');
    const { code, output } = await engines('start', 'etcd');
    assert.equal(code, 75, output);
    assert.match(output, new RegExp(`port ${2379 + offset} is taken by a process that is not ours`));
    assert.equal(other.listening, true);
    other.close();
  });
});
