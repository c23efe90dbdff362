// Ratios with the peers, on blocks made by hand: which way round they are, and that they are of the same round.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerBlock } from './peer-compare.js';
import { peersMarkdown, peersReached, summarizePeers } from './peer-report.js';
import { isReached } from './ratios/ratio.js';

const block = (target: string, round: number, perSecond: number, cpuUs: number): PeerBlock => ({
  ...{ target, round, perSecond, requests: perSecond, durationUs: 1e6, refused: 0, failed: 0, ranOut: false },
  ...{ cpuS: 0.1, p50Us: 4_000, p99Us: 9_000, serverCpuS: (perSecond * cpuUs) / 1e6 },
});

test('rate: ours by theirs; CPU: theirs by ours; each round by itself, then the median', () => {
  const blocks = [
    ...[block('openbell', 1, 800, 20), block('slow', 1, 100, 200)],
    ...[block('openbell', 2, 600, 20), block('slow', 2, 200, 160)],
    ...[block('openbell', 3, 900, 30), block('slow', 3, 150, 210)],
  ];
  const titles = new Map([
    ['openbell', 'ours'],
    ['slow', 'a slow one'],
  ]);
  const [ours, slow] = summarizePeers(blocks, titles);
  assert.ok(ours !== undefined && slow !== undefined);
  assert.deepEqual(ours.perSecond, { median: 800, min: 600, max: 900 });
  assert.deepEqual(slow.rateRatio, { median: 6, min: 3, max: 8 });
  const rounded = Object.fromEntries(
    Object.entries(slow.cpuRatio).map(([name, value]) => [name, Math.round(value * 1e6) / 1e6]),
  );
  assert.deepEqual(rounded, { median: 8, min: 7, max: 10 });
  const table = peersMarkdown([ours, slow]);
  assert.match(table, /\| ours \| 800 \(600-900\) \| 4\.0 \/ 9\.0 \| 20\.0 \(20\.0-30\.0\) \| {2}\| {2}\|/);
  assert.match(table, /\| a slow one \|.*\| 6\.00 \(3\.00-8\.00\) \| 8\.00 \(7\.00-10\.00\) \|/);
});

test('a peer on Node.js must be beaten three times over, any other at all', () => {
  const blocks = [block('openbell', 1, 300, 10), block('node-sqlite', 1, 100, 30), block('go', 1, 300, 20)];
  const titles = new Map(blocks.map(({ target }) => [target, target]));
  const reached = peersReached(summarizePeers(blocks, titles));
  assert.deepEqual(
    reached.map((each) => [each.what, each.target.is, each.target.value, isReached(each)]),
    [
      ['rate ÷ that of node-sqlite', 'at least', 3, true],
      ['CPU of node-sqlite ÷ ours', 'at least', 3, true],
      ['rate ÷ that of go', 'more than', 1, false],
      ['CPU of go ÷ ours', 'more than', 1, true],
    ],
  );
});
