// The lock of a data directory: one holder per role, free the moment it dies.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { lockDir } from './dir-lock.js';

function newDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'openbell-lock-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a directory is locked once per role, and again after its release', async (t) => {
  const directory = newDirectory(t);
  const first = await lockDir('edge', directory);
  assert.ok(first.ok);
  const second = await lockDir('edge', directory);
  assert.ok(!second.ok);
  assert.equal(second.error.code, 'held');
  assert.match(second.error.message, new RegExp(`pid ${process.pid}`));
  const other = await lockDir('ledger', directory);
  assert.ok(other.ok);
  await other.value.release();
  await first.value.release();
  const again = await lockDir('edge', directory);
  assert.ok(again.ok);
  await again.value.release();
});

test('another name of the same directory is the same lock', async (t) => {
  const directory = newDirectory(t);
  const alias = join(newDirectory(t), 'alias');
  symlinkSync(directory, alias);
  const first = await lockDir('edge', directory);
  assert.ok(first.ok);
  assert.ok(!(await lockDir('edge', alias)).ok);
  await first.value.release();
});

test('a directory that is not there is a failure, not a lock', async (t) => {
  const failed = await lockDir('edge', join(newDirectory(t), 'nowhere'));
  assert.ok(!failed.ok);
  assert.equal(failed.error.code, 'failed');
});

test('the lock is free the moment its holder is killed', async (t) => {
  const directory = newDirectory(t);
  const script = `import { lockDir } from ${JSON.stringify(new URL('./dir-lock.js', import.meta.url).href)};
    const lock = await lockDir('edge', process.argv[1]);
    process.stdout.write(lock.ok ? 'held' : 'refused');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => resolve(String(data))),
  );
  assert.equal(said, 'held');
  assert.ok(!(await lockDir('edge', directory)).ok);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
  const lock = await lockDir('edge', directory);
  assert.ok(lock.ok);
  await lock.value.release();
});
