// The comparison with the plain driver runs from one end to the other; its figures are thrown away.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { skipWithoutEngine } from '../../test/harness/engine-files.js';
import { skipWithout } from '../../test/harness/tools.js';

const PROGRAM = fileURLToPath(new URL('replicated.js', import.meta.url));
const skip = skipWithoutEngine('cassandra') || skipWithout('wrk') || skipWithout('taskset');

test('all sides write rows, and the table names the ratio', { skip }, async (t) => {
  const out = await mkdtemp(join(tmpdir(), 'openbell-replicated-test-'));
  t.after(() => rm(out, { recursive: true }));
  const args = ['--rounds', '1', '--seconds', '1', '--in-flight', '64', '--warm-rows', '1000', '--out', out];
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...args]);
  assert.match(stdout, /^\| ratio \(target ≥ 0\.8\) \| \d+\.\d\d \| \d+\.\d\d \|$/m);
  const [file] = await readdir(out);
  const result = JSON.parse(await readFile(join(out, file ?? ''), 'utf8'));
  assert.deepEqual(
    result.blocks.map(({ side, way, rows }: Record<string, unknown>) => [side, way, Number(rows) > 0]),
    [
      ['edge', 'websocket', true],
      ['plain', 'websocket', true],
      ['plain', 'websocket', true],
      ['edge', 'websocket', true],
      ['edge', 'http', true],
      ['plain', 'http', true],
      ['plain', 'http', true],
      ['edge', 'http', true],
    ],
  );
});
