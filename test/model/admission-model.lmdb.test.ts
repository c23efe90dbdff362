// Property: whatever happens to a node of admission, in whatever order, its answers, its sums and its journal are those
// of a model that knows nothing of batches, shards, caches, the index or restarts (I1, I3, I4, I8, I11, I12).

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXAMPLES, type Scenario, scenario } from './admission-commands.js';
import { AdmissionSession } from './admission-session.js';

const TIME_LIMIT_MS = 20_000;
const RUNS_MAX = 2_000;
/** Fewer would mean that the machine, or the code, is not what this test was made for. */
const RUNS_MIN = 10;

const given = process.env['OPENBELL_TEST_SEED'];
const seed = given === undefined ? (Date.now() ^ (process.pid << 8)) | 0 : Number.parseInt(given, 10);

interface Coverage {
  runs: number;
  restarts: number;
  replays: number;
  readonly codes: Map<string, number>;
}

async function runScenario(one: Scenario, coverage: Coverage): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), 'openbell-model-'));
  const session = new AdmissionSession(dir, one);
  await session.start();
  try {
    for (const command of one.commands) await session.run(command);
    await session.finish();
    coverage.runs++;
    coverage.restarts += session.restarts;
    coverage.replays += session.replays;
    for (const { code } of session.model.verdicts.values()) {
      coverage.codes.set(code, (coverage.codes.get(code) ?? 0) + 1);
    }
  } finally {
    await session.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

test(`the shards answer what the model answers (OPENBELL_TEST_SEED=${seed})`, async (t) => {
  const coverage: Coverage = { runs: 0, restarts: 0, replays: 0, codes: new Map() };
  await fc.assert(
    fc.asyncProperty(scenario, (one) => runScenario(one, coverage)),
    {
      seed,
      numRuns: RUNS_MAX,
      interruptAfterTimeLimit: TIME_LIMIT_MS,
      markInterruptAsFailure: false,
      includeErrorInReport: true,
      examples: [...EXAMPLES],
    },
  );
  const { runs, restarts, replays, codes } = coverage;
  t.diagnostic(
    `${runs} runs, ${restarts} restarts, ${replays} replays, ${JSON.stringify(Object.fromEntries(codes))}`,
  );
  assert.ok(runs >= RUNS_MIN, `only ${runs} runs`);
  assert.ok(restarts > 0 && replays > 0, 'restarts and replays have happened');
  for (const code of ['accepted', 'not-eligible', 'already-invested', 'insufficient-balance', 'round-full']) {
    assert.ok(codes.has(code), `${code} has happened`);
  }
});
