// The short form of the full-speed test; test/chaos/full-speed.ts is the long one.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { temporaryDataDir } from '../harness/node-process.js';
import { runFullSpeed } from './full-speed-run.js';

for (const workers of [1, 3]) {
  test(`a small cap sells out at full speed with ${workers} shards, neither over nor under`, async (t) => {
    const seed = randomInt(0xffff_ffff);
    t.diagnostic(`seed ${seed}`);
    const { dataDir, remove } = await temporaryDataDir();
    const size = { attempts: 5_000, connections: 32, investors: 4_000, cap: 100_000_000 };
    const { report, auditExit, auditText } = await runFullSpeed({ ...size, seed, workers, dataDir });
    assert.deepEqual(
      report.checks.filter((check) => !check.ok),
      [],
      `seed ${seed}`,
    );
    assert.ok((report.verdicts['accepted'] ?? 0) > 0 && (report.verdicts['round-full'] ?? 0) > 0);
    assert.ok(report.ok, JSON.stringify(report));
    assert.equal(auditExit, 0, auditText);
    await remove();
  });
}
