// Medians and ratios of a comparison, on blocks made by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block } from './compare.js';
import { markdown, median, summarize } from './report.js';

const block = (target: Block['target'], round: number, perSecond: number, cpuUs: number): Block => ({
  ...{ target, round, perSecond, requests: perSecond, durationUs: 1e6, refused: 0, failed: 0, ranOut: false },
  cpuS: (perSecond * 5) / 1e6,
  ...{ p50Us: 4_000, p99Us: 9_000, syncs: target === 'openbell' ? perSecond / 100 : 0 },
  settledCpu: {
    totalS: (perSecond * cpuUs * (target === 'openbell' ? 2 : 1)) / 1e6,
    mainS: (perSecond * 10) / 1e6,
    busiestS: 0,
    restS: 0,
  },
  cpu: { totalS: (perSecond * cpuUs) / 1e6, mainS: (perSecond * 10) / 1e6, busiestS: 0, restS: 0 },
});

test('the median of even and odd counts', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('ratios are of medians, with the spread of the rounds', () => {
  const blocks = [
    ...[block('openbell', 1, 500, 30), block('constant', 1, 1_000, 10), block('openbell', 1, 700, 30)],
    ...[block('openbell', 2, 900, 30), block('constant', 2, 1_000, 10)],
  ];
  const summary = summarize(256, blocks);
  assert.deepEqual(summary.ratio, { median: 0.7, min: 0.6, max: 0.9 });
  assert.ok(Math.abs(summary.cpuRatio.median - 3) < 1e-9);
  assert.ok(Math.abs(summary.mainCpuRatio.median - 1) < 1e-9);
  assert.ok(
    Math.abs(summary.settledCpuRatio.median - 6) < 1e-9,
    'the catch-up is on top, the constant server has none',
  );
  assert.equal(summary.admissionsPerSync, 100);
  assert.match(markdown([summary]), /\| 256 \| 700 \(500-900\) .* \*\*0\.70\*\* \(0\.60-0\.90\) \| 100 \|/);
});
