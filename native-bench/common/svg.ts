// Plots as SVG documents, for results: bars (stacked, with spread) and lines. Readable on light and on dark ground.

import { axisTicks, compact, type Scale, scaleOf } from './svg-scale.js';

/** One bar: its parts follow each other along the axis. */
export interface Bar {
  readonly label: string;
  /** Named the same in every bar, so that one legend serves all; a single part needs no name. */
  readonly parts: readonly { readonly name: string; readonly value: number }[];
  /** Ends of the whisker, in the units of the axis. */
  readonly low?: number;
  readonly high?: number;
}

export interface BarChart {
  readonly title: string;
  /** What the reader must know beside it: machine, commit, what the whisker means. */
  readonly note: string;
  /** Name and unit of the axis. */
  readonly axis: string;
  readonly bars: readonly Bar[];
}

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

export interface LineChart {
  readonly title: string;
  readonly note: string;
  /** Names and units of the axes. */
  readonly xAxis: string;
  readonly yAxis: string;
  readonly xScale: Scale;
  readonly yScale: Scale;
  /** In place of round numbers on the x axis: percentiles, say. */
  readonly xTicks?: readonly { readonly at: number; readonly label: string }[];
  readonly lines: readonly { readonly name: string; readonly points: readonly LinePoint[] }[];
}

const WIDTH = 760;
const MARGIN = 16;
const LINE_PX = 16;
/** A character of the 12 px font, at most. */
const CHAR_PX = 6.7;
const BAR_PX = 20;
const BAR_STEP_PX = 32;
const PLOT_HEIGHT = 300;
/** Room right of a bar for its value. */
const VALUE_PX = 64;

/** Told apart without red against green (after Okabe and Ito), on white and on black. */
const LIGHT = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const DARK = ['#56b4e9', '#ff8f4d', '#2ec9a0', '#e79ecb', '#f4c152', '#a9d8f7'];

function rules(ground: string, ink: string, faint: string, series: readonly string[]): string {
  const parts = series.map((colour, i) => `.s${i}{fill:${colour}}.l${i}{stroke:${colour}}`);
  return `.g{fill:${ground}}text{fill:${ink}}.f{stroke:${faint}}.k{stroke:${ink}}${parts.join('')}`;
}

const STYLE = [
  'text{font:12px system-ui,"DejaVu Sans",sans-serif}.t{font-size:16px;font-weight:600}.n{font-size:11px}',
  '.f,.k{fill:none}.line{fill:none;stroke-width:2}',
  rules('#ffffff', '#24292f', '#d0d7de', LIGHT),
  `@media (prefers-color-scheme:dark){${rules('#0d1117', '#e6edf3', '#3d444d', DARK)}}`,
].join('');

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const px = (value: number): string => String(Math.round(value * 10) / 10);

function text(x: number, y: number, what: string, anchor: 'start' | 'middle' | 'end', kind = ''): string {
  const own = kind === '' ? '' : ` class="${kind}"`;
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}"${own}>${escaped(what)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, kind: string): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" class="${kind}"/>`;
}

/** Words put into lines that fit the width. */
function wrapped(note: string): string[] {
  const charsMax = Math.floor((WIDTH - 2 * MARGIN) / CHAR_PX);
  const lines: string[] = [];
  for (const word of note.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + 1 + word.length <= charsMax)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Title, note and legend; where the plot starts. */
function head(title: string, note: string, series: readonly string[]): { parts: string[]; top: number } {
  const parts = [text(MARGIN, MARGIN + 12, title, 'start', 't')];
  let y = MARGIN + 12;
  for (const each of wrapped(note)) {
    y += LINE_PX;
    parts.push(text(MARGIN, y, each, 'start', 'n'));
  }
  if (series.length > 1) {
    y += LINE_PX + 6;
    let x = MARGIN;
    for (const [i, name] of series.entries()) {
      parts.push(
        `<rect x="${px(x)}" y="${px(y - 10)}" width="12" height="12" class="s${i % LIGHT.length}"/>`,
      );
      parts.push(text(x + 17, y, name, 'start'));
      x += 17 + name.length * CHAR_PX + 18;
    }
  }
  return { parts, top: y + LINE_PX };
}

function documentOf(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${px(height)}" width="${WIDTH}" height="${px(height)}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${px(height)}" class="g"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function checked(values: readonly number[], where: string): void {
  for (const value of values) {
    if (!Number.isFinite(value) || value < 0) throw new Error(`${where}: ${value} cannot be drawn`);
  }
}

/** Horizontal bars, one a line, with their sums. Throws for a value that is negative or no number. */
export function barChart(chart: BarChart): string {
  const { bars } = chart;
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const sums = bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  for (const { label, parts, low = 0, high = 0 } of bars)
    checked([...parts.map(({ value }) => value), low, high], label);
  const end = Math.max(...sums, ...bars.map(({ high = 0 }) => high)) || 1;
  const { parts, top } = head(chart.title, chart.note, names);
  const left = MARGIN + Math.max(...bars.map(({ label }) => label.length)) * CHAR_PX + 10;
  const x = scaleOf('linear', 0, end, left, WIDTH - MARGIN - VALUE_PX);
  const bottom = top + bars.length * BAR_STEP_PX;
  for (const tick of axisTicks('linear', 0, end)) {
    parts.push(line(x(tick), top - 4, x(tick), bottom, 'f'));
    parts.push(text(x(tick), bottom + LINE_PX, compact(tick), 'middle'));
  }
  for (const [i, bar] of bars.entries()) {
    const y = top + i * BAR_STEP_PX;
    const middle = y + BAR_PX / 2;
    parts.push(text(left - 8, middle + 4, bar.label, 'end'));
    let from = 0;
    for (const { name, value } of bar.parts) {
      const width = px(x(from + value) - x(from));
      const colour = `s${names.indexOf(name) % LIGHT.length}`;
      parts.push(
        `<rect x="${px(x(from))}" y="${px(y)}" width="${width}" height="${BAR_PX}" class="${colour}"/>`,
      );
      from += value;
    }
    const { low, high } = bar;
    if (low !== undefined && high !== undefined) {
      parts.push(line(x(low), middle, x(high), middle, 'k'));
      for (const at of [low, high]) parts.push(line(x(at), middle - 5, x(at), middle + 5, 'k'));
    }
    parts.push(text(x(Math.max(from, high ?? 0)) + 6, middle + 4, compact(from), 'start'));
  }
  parts.push(line(left, top - 4, left, bottom, 'k'));
  parts.push(text((left + WIDTH - MARGIN - VALUE_PX) / 2, bottom + 2 * LINE_PX + 4, chart.axis, 'middle'));
  return documentOf(chart.title, bottom + 2 * LINE_PX + 4 + MARGIN, parts);
}

/** Lines with a mark at each point. Throws for a value that is negative or no number, or not above 0 on a log axis. */
export function lineChart(chart: LineChart): string {
  const { lines, xScale, yScale } = chart;
  const points = lines.flatMap((each) => each.points);
  for (const { x, y, low = 0, high = 0 } of points) checked([x, y, low, high], chart.title);
  const ys = points.flatMap(({ y, low = y, high = y }) => [y, low, high]);
  const xs = [...points.map(({ x }) => x), ...(chart.xTicks ?? []).map(({ at }) => at)];
  const range = (scale: Scale, values: readonly number[]): [number, number] => [
    scale === 'log' ? Math.min(...values) : 0,
    Math.max(...values),
  ];
  const names = lines.map(({ name }) => name);
  const { parts, top } = head(chart.title, chart.note, names.length > 1 ? names : []);
  const yTicks = axisTicks(yScale, ...range(yScale, ys));
  const left = MARGIN + LINE_PX + 10 + Math.max(...yTicks.map((tick) => compact(tick).length)) * CHAR_PX;
  const bottom = top + PLOT_HEIGHT;
  const [xLow, xHigh] = range(xScale, xs);
  const x = scaleOf(xScale, xLow, xHigh, left, WIDTH - 2 * MARGIN);
  const y = scaleOf(yScale, ...range(yScale, ys), bottom, top);
  for (const tick of yTicks) {
    parts.push(line(left, y(tick), WIDTH - 2 * MARGIN, y(tick), 'f'));
    parts.push(text(left - 8, y(tick) + 4, compact(tick), 'end'));
  }
  const round = axisTicks(xScale, xLow, xHigh).map((at) => ({ at, label: compact(at) }));
  for (const { at, label } of chart.xTicks ?? round) {
    parts.push(line(x(at), bottom, x(at), bottom + 5, 'k'));
    parts.push(text(x(at), bottom + 5 + LINE_PX, label, 'middle'));
  }
  for (const [i, each] of lines.entries()) {
    const colour = i % LIGHT.length;
    const path = each.points.map((point) => `${px(x(point.x))},${px(y(point.y))}`);
    parts.push(`<polyline points="${path.join(' ')}" class="line l${colour}"/>`);
    for (const point of each.points) {
      const { low, high } = point;
      if (low !== undefined && high !== undefined)
        parts.push(line(x(point.x), y(low), x(point.x), y(high), `line l${colour}`));
      parts.push(`<circle cx="${px(x(point.x))}" cy="${px(y(point.y))}" r="4" class="s${colour}"/>`);
    }
  }
  parts.push(line(left, top, left, bottom, 'k'), line(left, bottom, WIDTH - 2 * MARGIN, bottom, 'k'));
  parts.push(text((left + WIDTH) / 2, bottom + 5 + 2 * LINE_PX + 4, chart.xAxis, 'middle'));
  const turned = `rotate(-90 ${MARGIN + 8} ${px((top + bottom) / 2)})`;
  const yName = text(MARGIN + 8, (top + bottom) / 2, chart.yAxis, 'middle');
  parts.push(yName.replace('<text', `<text transform="${turned}"`));
  return documentOf(chart.title, bottom + 5 + 2 * LINE_PX + 4 + MARGIN, parts);
}
