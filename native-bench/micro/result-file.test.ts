import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeMachine } from '../common/machine.js';
import { plotOf } from './plot.js';
import { compareResults, figure, type MicroResult, markdownOfChanges, readResult } from './result-file.js';
import { SMOKE } from './suite.js';

const machine = describeMachine(tmpdir());

/** A run with one suite: medians and deviations by case, in microseconds. */
function run(cases: Readonly<Record<string, readonly [p50: number, mad: number]>>): MicroResult {
  const results = Object.entries(cases).map(([name, [p50, mad]]) => ({
    name,
    operations: 1,
    samples: 64,
    latencyUs: { p50, p75: p50, p99: p50, p999: p50, mean: p50, min: p50, mad },
    rmePercent: 1,
    perSecond: 1e6 / p50,
  }));
  const suites = [{ name: 'subject', about: 'One.', cases: results }];
  return { kind: 'micro', at: '2026-11-23T10:00:00.000Z', machine, effort: SMOKE, suites };
}

const verdicts = (before: MicroResult, now: MicroResult) =>
  Object.fromEntries(compareResults(before, now).map(({ name, verdict }) => [name, verdict]));

test('a case has changed when its median moved by more than 15 % and the noise', () => {
  const before = run({ steady: [10, 0], slow: [10, 0], fast: [10, 0], noisy: [10, 2], gone: [1, 0] });
  const now = run({ steady: [11.5, 0], slow: [11.6, 0], fast: [8.4, 0], noisy: [14, 1], fresh: [1, 0] });
  assert.deepEqual(verdicts(before, now), {
    steady: 'same',
    slow: 'slower',
    fast: 'faster',
    noisy: 'same', // 4 µs more, of which 1.5 are the ratio and 3 the deviation
  });
});

test('the larger deviation of the two runs is the noise', () => {
  assert.deepEqual(verdicts(run({ a: [10, 0] }), run({ a: [14, 2] })), { a: 'same' });
  assert.deepEqual(verdicts(run({ a: [10, 2] }), run({ a: [14, 0] })), { a: 'same' });
  assert.deepEqual(verdicts(run({ a: [10, 1] }), run({ a: [14, 1] })), { a: 'slower' });
});

test('changes are told with their sign, and how many stayed', () => {
  const text = markdownOfChanges(
    compareResults(run({ a: [10, 0], b: [10, 0], c: [10, 0] }), run({ a: [20, 0], b: [5, 0], c: [10, 0] })),
  );
  assert.match(text, /\| subject: a \| 10\.0 \| 20\.0 \| 0\.00 \| \+100 % \| slower \|/);
  assert.match(text, /\| subject: b \| 10\.0 \| 5\.00 \| 0\.00 \| -50 % \| faster \|/);
  assert.match(text, /1 of 3 cases changed by less/);
});

test('a file is read back as it was written, and another kind of file is refused', () => {
  const dir = mkdtempSync(join(tmpdir(), 'openbell-micro-file-'));
  try {
    const result = run({ a: [1.25, 0.5] });
    const file = join(dir, 'micro.json');
    writeFileSync(file, JSON.stringify(result));
    assert.deepEqual(readResult(file), result);
    writeFileSync(file, JSON.stringify({ ...result, kind: 'macro' }));
    assert.throws(() => readResult(file), /holds no micro benchmarks/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('figures have three digits that mean something', () => {
  assert.deepEqual([0.01234, 1.2345, 12.345, 1234.5, Number.NaN].map(figure), [
    '0.0123',
    '1.23',
    '12.3',
    '1,235',
    '-',
  ]);
});

test('the plot of a suite shows each case with its median', () => {
  const svg = plotOf(run({ first: [12.5, 1], second: [2, 0] }).suites[0]!, machine);
  assert.match(svg, />first</);
  assert.match(svg, />12\.5</);
  assert.match(svg, />2</);
});
