import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BarChart, barChart, type LineChart, lineChart } from './svg.js';
import { axisTicks, compact, scaleOf } from './svg-scale.js';

/** The elements of a document, each with its attributes; throws when it is not well formed. */
function elements(svg: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  const open: string[] = [];
  let at = 0;
  for (const match of svg.matchAll(/<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<>]*")*) ?(\/?)>/g)) {
    const between = svg.slice(at, match.index);
    assert.doesNotMatch(between, /[<>]|&(?!(amp|lt|gt|quot);)/);
    at = match.index + match[0].length;
    const [, closing, name = '', attributes = '', empty] = match;
    if (closing === '/') assert.equal(open.pop(), name);
    else {
      const pairs = [...attributes.matchAll(/([a-zA-Z0-9-]+)="([^"]*)"/g)];
      found.push(
        new Map([['name', name], ...pairs.map(([, key = '', value = '']) => [key, value] as const)]),
      );
      if (empty !== '/') open.push(name);
    }
  }
  assert.deepEqual(open, []);
  assert.equal(svg.slice(at).trim(), '');
  return found;
}

const number = (element: Map<string, string>, name: string): number =>
  JSON.parse(element.get(name) ?? 'null') as number;

/** Rectangles of a bar's part, without ground and legend. */
function bars(svg: string, series: number): Map<string, string>[] {
  return elements(svg).filter(
    (each) =>
      each.get('name') === 'rect' && each.get('class') === `s${series}` && each.get('height') === '20',
  );
}

const CHART: BarChart = {
  title: 'CPU a request',
  note: 'Medians; the whisker is the range.',
  axis: 'µs',
  bars: [
    {
      label: 'ours',
      parts: [
        { name: 'main', value: 10 },
        { name: 'shard', value: 5 },
      ],
      low: 12,
      high: 18,
    },
    {
      label: 'constant',
      parts: [
        { name: 'main', value: 20 },
        { name: 'shard', value: 0 },
      ],
    },
  ],
};

test('bars are as long as their values, and parts stand behind each other', () => {
  const svg = barChart(CHART);
  const [ours, constant] = bars(svg, 0);
  const [shard] = bars(svg, 1);
  assert.ok(ours && constant && shard);
  assert.ok(Math.abs(number(constant, 'width') - 2 * number(ours, 'width')) < 0.2);
  assert.ok(Math.abs(number(shard, 'width') - number(ours, 'width') / 2) < 0.2);
  assert.ok(Math.abs(number(shard, 'x') - number(ours, 'x') - number(ours, 'width')) < 0.2);
  assert.equal(number(shard, 'y'), number(ours, 'y'));
  for (const text of ['ours', 'constant', 'main', 'shard', '15', '20', 'µs', 'CPU a request'])
    assert.ok(svg.includes(`>${text}</text>`), text);
});

test('a whisker reaches from the low to the high end', () => {
  const svg = barChart(CHART);
  const [constant] = bars(svg, 0).slice(1);
  assert.ok(constant);
  const perUnit = number(constant, 'width') / 20;
  const whisker = elements(svg).find(
    (each) => each.get('name') === 'line' && each.get('class') === 'k' && each.get('y1') === each.get('y2'),
  );
  assert.ok(whisker);
  assert.ok(Math.abs(number(whisker, 'x1') - number(constant, 'x') - 12 * perUnit) < 0.2);
  assert.ok(Math.abs(number(whisker, 'x2') - number(constant, 'x') - 18 * perUnit) < 0.2);
});

test('nothing in a label can leave its text', () => {
  const label = '</text><script>"a" & b';
  const svg = barChart({
    ...CHART,
    title: label,
    note: label,
    bars: [{ label, parts: [{ name: label, value: 1 }] }],
  });
  assert.ok(elements(svg).every((each) => each.get('name') !== 'script'));
  assert.ok(svg.includes('&lt;/text&gt;&lt;script&gt;&quot;a&quot; &amp; b'));
});

test('nothing but zeros is a chart too', () => {
  const svg = barChart({ ...CHART, bars: [{ label: 'none', parts: [{ name: '', value: 0 }] }] });
  assert.equal(bars(svg, 0)[0]?.get('width'), '0');
});

test('a value that cannot be drawn is refused', () => {
  for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    const bad = { label: 'bad', parts: [{ name: '', value }] };
    assert.throws(() => barChart({ ...CHART, bars: [bad] }), /bad: .* cannot be drawn/);
    const lines = [{ name: 'bad', points: [{ x: 1, y: value }] }];
    assert.throws(() => lineChart({ ...LINES, lines }), /cannot be drawn/);
  }
});

test('a chart has a ground and colours for light and dark', () => {
  const svg = barChart(CHART);
  const [light = '', dark = ''] = svg.split('@media (prefers-color-scheme:dark)');
  for (const half of [light, dark]) assert.match(half, /\.g\{fill:#[0-9a-f]{6}\}text\{fill:#[0-9a-f]{6}\}/);
  const grounds = [light, dark].map((half) => /\.g\{fill:(#[0-9a-f]{6})/.exec(half)?.[1]);
  assert.deepEqual(grounds, ['#ffffff', '#0d1117']);
});

const LINES: LineChart = {
  title: 'Latency',
  note: 'Closed loop.',
  xAxis: 'percentile',
  yAxis: 'ms',
  xScale: 'log',
  yScale: 'log',
  xTicks: [
    { at: 2, label: '50 %' },
    { at: 100, label: '99 %' },
  ],
  lines: [
    {
      name: 'ours',
      points: [
        { x: 2, y: 1, low: 0.5, high: 2 },
        { x: 100, y: 10 },
      ],
    },
    {
      name: 'constant',
      points: [
        { x: 2, y: 0.1 },
        { x: 100, y: 1 },
      ],
    },
  ],
};

test('lines rise with their values, on a logarithmic axis by ratios', () => {
  const marks = elements(lineChart(LINES)).filter((each) => each.get('name') === 'circle');
  assert.equal(marks.length, 4);
  const [a, b, c, d] = marks.map((each) => number(each, 'cy'));
  assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
  assert.ok(Math.abs(a - b - (c - d)) < 0.3, 'ten times is the same distance everywhere');
  assert.equal(a, d, 'equal values stand at equal heights');
  assert.ok(b < a);
  assert.throws(
    () => lineChart({ ...LINES, lines: [{ name: 'zero', points: [{ x: 1, y: 0 }] }] }),
    /logarithmic/,
  );
});

test('ticks are round, ascending, and within the axis', () => {
  assert.deepEqual(axisTicks('linear', 0, 23), [0, 5, 10, 15, 20]);
  assert.deepEqual(
    axisTicks('linear', 0, 0.7),
    [0, 1, 2, 3].map((i) => i * 0.2),
  );
  assert.deepEqual(axisTicks('log', 0.1, 10), [0.1, 0.2, 0.5, 1, 2, 5, 10]);
  assert.deepEqual(axisTicks('log', 1, 1e6), [1, 10, 100, 1e3, 1e4, 1e5, 1e6]);
  assert.deepEqual(axisTicks('linear', 0, 0), [0]);
  assert.equal(scaleOf('linear', 0, 10, 100, 200)(5), 150);
});

test('numbers are short', () => {
  const shown = [0, 0.125, 1.5, 12.34, 100, 1250, 125_000, 1_250_000].map(compact);
  assert.deepEqual(shown, ['0', '0.125', '1.5', '12.3', '100', '1,250', '125k', '1.25M']);
});
