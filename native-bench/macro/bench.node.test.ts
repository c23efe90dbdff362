// The smallest size of every ratio: that it runs, counts right, and would notice a wrong answer.

import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { skipWithout } from '../../test/harness/tools.js';
import { describeMachine } from '../common/machine.js';
import { ratiosNamed, runRatios } from './bench.js';
import { targetsPlot, targetsTable } from './bench-report.js';
import { BESIDE_PEERS } from './ratios/beside-peers.js';
import { RATIOS } from './ratios/list.js';
import { isReached, SMOKE } from './ratios/ratio.js';
import { syncCheckMissing } from './sync-check.js';

/** The peers have a test of their own, since few hosts have built them all: peers.node.test.ts. */
const OURS = RATIOS.filter((ratio) => ratio !== BESIDE_PEERS);

test('every ratio at the smallest size', { skip: skipWithout('wrk') }, async () => {
  const { reached, failed, details } = await runRatios({
    ...{ ratios: OURS, sizes: SMOKE, scratch: tmpdir() },
    ...{ syncChecks: syncCheckMissing() === false ? 1 : 0, log: () => undefined },
  });
  assert.deepEqual(failed, {});
  assert.equal(Object.keys(details).length, OURS.length);
  const measured = new Set(reached.map(({ id }) => id.toLowerCase()));
  for (const id of OURS.flatMap(({ ids }) => ids)) assert.ok(measured.has(id), `${id} has no figure`);
  for (const { what, value } of reached) assert.ok(Number.isFinite(value) && value >= 0, `${what}: ${value}`);
});

test('ratios are found by name, and what is none is named', () => {
  assert.deepEqual(
    ratiosNamed(['R2', 'r7']).flatMap(({ ids }) => ids),
    ['r1', 'r2', 'r7'],
  );
  assert.equal(ratiosNamed([]).length, RATIOS.length);
  assert.throws(() => ratiosNamed(['r99']), /r99 is no ratio/);
});

test('the table says of each target whether it is reached', () => {
  const least = { id: 'R1', what: 'a rate', target: { is: 'at least', value: 0.75 }, value: 0.7 } as const;
  const most = {
    id: 'R9',
    what: 'bytes',
    target: { is: 'at most', value: 200 },
    value: 180,
    low: 170,
    high: 190,
  } as const;
  assert.deepEqual([least, most].map(isReached), [false, true]);
  const table = targetsTable([least, most]);
  assert.match(table, /\| R1 \| a rate \| ≥ 0\.75 \| 0\.70 \| no \|/);
  assert.match(table, /\| R9 \| bytes \| ≤ 200 \| 180 \(170-190\) \| yes \|/);
});

test('a figure that is nothing does not hide the others', () => {
  const none = { id: 'R9', what: 'bytes', target: { is: 'at most', value: 64 }, value: 0 } as const;
  const usual = { id: 'R1', what: 'a rate', target: { is: 'at least', value: 0.75 }, value: 0.7 } as const;
  const svg = targetsPlot([none, usual], describeMachine(tmpdir()));
  const bars = [...svg.matchAll(/<rect [^>]*width="([^"]*)"[^>]*class="s0"/g)].map(([, width]) =>
    Number(width),
  );
  assert.equal(bars.length, 2);
  assert.ok(
    bars.every((width) => width > 10),
    bars.join(' '),
  );
});
