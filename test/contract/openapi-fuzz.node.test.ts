// Requests made from /openapi.json by schemathesis, good and bad, against the real edge: no 5xx, no status, header or
// body that the document does not have. Bounded in time; the seed is fixed, and FUZZ_SEED and FUZZ_SECONDS change it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  createRound,
  importInvestors,
  investorToken,
  startEdgeProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { skipWithout, toolPath } from '../harness/tools.js';

const SEED = process.env['FUZZ_SEED'] ?? '20261123';
const SECONDS = process.env['FUZZ_SECONDS'] ?? '20';
/** Beyond its budget, the time in which it starts, finishes a phase and reports. */
const GRACE_MS = 90_000;
const HOOKS = fileURLToPath(new URL('../../../test/contract', import.meta.url));
/** Cases that the shortest budget makes; fewer, and something is wrong with the run itself. */
const CASES_MIN = 300;

/** Runs schemathesis in a folder of its own, for it leaves notes where it stands. */
async function fuzz(url: string, cwd: string): Promise<{ code: number | null; output: string }> {
  const tool = toolPath('schemathesis') ?? assert.fail('schemathesis is not installed: see .ci/run');
  const args = ['run', `${url}/openapi.json`, '--seed', SEED, '--max-time', SECONDS, '--no-shrink'];
  // A valid request may well be refused: the round is full, the key was used, 1.0 is an integer to JSON Schema.
  args.push(
    '--exclude-checks',
    'positive_data_acceptance',
    '--continue-on-failure',
    '--request-timeout',
    '10',
  );
  args.push('--header', `Authorization: Bearer ${investorToken('alice')}`);
  const child = spawn(tool, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: Number(SECONDS) * 1_000 + GRACE_MS,
    env: {
      ...process.env,
      ...{ NO_COLOR: '1', PYTHONPATH: HOOKS, PYTHONDONTWRITEBYTECODE: '1', SCHEMATHESIS_HOOKS: 'fuzz_hooks' },
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, output };
}

test('what /openapi.json says is what the port does', { skip: skipWithout('schemathesis') }, async (t) => {
  const { dataDir, remove } = await temporaryDataDir();
  const cwd = await mkdtemp(join(tmpdir(), 'openbell-fuzz-'));
  try {
    const edge = await startEdgeProcess({ dataDir });
    await createRound(edge, { id: 'crowd', cap: 2_000_000_000 });
    await importInvestors({ edge }, [{ investor: 'alice', balance: 1_000_000_000 }]);
    const { code, output } = await fuzz(edge.publicUrl, cwd);
    assert.equal(code, 0, `seed ${SEED}\n${output}\n${edge.stderr()}`);
    const cases = Number(/(\d+) generated/.exec(output)?.[1] ?? 0);
    t.diagnostic(`${cases} cases in ${SECONDS} s, seed ${SEED}`);
    assert.ok(cases >= CASES_MIN, output);
    assert.equal((await edge.stop()).code, 0, edge.stderr());
  } finally {
    await rm(cwd, { recursive: true, force: true });
    await remove();
  }
});
