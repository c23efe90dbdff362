// The formatter, the linter and the search for dead exports, as tests: `npm test` is the only gate to remember.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './source-files.js';

/** Runs a tool of node_modules in the repository; its exit code and all that it printed. */
function runTool(path: string, ...args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const command = [join(ROOT, 'node_modules', path), ...args];
    execFile(process.execPath, command, { cwd: ROOT, maxBuffer: 16 * 1_048_576 }, (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : error ? -1 : 0,
        output: `${stdout}${stderr}`,
      });
    });
  });
}

test('formatted and linted: `npm run format` mends most of what this finds', async () => {
  const { code, output } = await runTool(
    '@biomejs/biome/bin/biome',
    'ci',
    '--error-on-warnings',
    '--colors=off',
  );
  assert.equal(code, 0, output);
  assert.match(output, /Checked \d{2,} files/);
});

test('no dead file, export or dependency', async () => {
  const { code, output } = await runTool(
    'knip/bin/knip.js',
    '--no-progress',
    '--treat-config-hints-as-errors',
  );
  assert.equal(code, 0, output);
});
