// CPU of a server is that of all its processes, also of those that have ended.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { processTree, treeCpuS } from './process-tree.js';

const BURN_MS = 300;
/** Starts a child that burns CPU and ends, then one that waits; says so when the second is there. */
const PARENT = `
  const { spawn, spawnSync } = require('node:child_process');
  spawnSync(process.execPath, ['-e', 'const end = Date.now() + ${BURN_MS}; while (Date.now() < end);']);
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  process.stdout.write(String(child.pid));
  process.stdin.resume();
  process.stdin.on('end', () => child.stdin.end());
`;

test('children count, dead or alive', async () => {
  const parent = spawn(process.execPath, ['-e', PARENT], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [text] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
  const root = parent.pid ?? assert.fail('not started');
  assert.deepEqual(processTree([root]), [root, Number.parseInt(text, 10)]);
  const usedS = treeCpuS([root]);
  // On a busy machine the child gets less than the wall time in which it burns.
  assert.ok(usedS >= BURN_MS / 1_000 / 10, `${usedS} s`);
  parent.stdin.end();
  await once(parent, 'exit');
  assert.deepEqual(processTree([root]), [root]);
});
