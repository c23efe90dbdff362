// What a run of the benchmark leaves: one table of targets, a plot of how near each is, and the files of both.

import { writeFileSync } from 'node:fs';
import type { Machine } from '../common/machine.js';
import { barChart } from '../common/svg.js';
import { isReached, type Reached } from './ratios/ratio.js';
import { fixed } from './report.js';

const SIGN = { 'at least': '≥', 'more than': '>', 'at most': '≤' } as const;

/** Few digits for large figures, two for ratios. */
const shown = (value: number): string => fixed(value, Math.abs(value) >= 100 ? 0 : 2);

/** One line a target: what is measured, the target, what was reached, whether that will do. */
export function targetsTable(reached: readonly Reached[]): string {
  const rows = reached.map((each) => {
    const { id, what, target, value, low, high } = each;
    const spread = low === undefined || high === undefined ? '' : ` (${shown(low)}-${shown(high)})`;
    return `| ${id} | ${what} | ${SIGN[target.is]} ${target.value} | ${shown(value)}${spread} | ${isReached(each) ? 'yes' : 'no'} |`;
  });
  return ['| # | ratio | target | reached | yes/no |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

/** A longer bar would make all others invisible: a figure may be nothing. */
const TIMES_MAX = 5;

/** Each figure over its target, turned so that 1 is reached and more is better. */
export function targetsPlot(reached: readonly Reached[], machine: Machine): string {
  const part = ({ target, value }: Reached, at: number = value): number =>
    Math.min(TIMES_MAX, target.is === 'at most' ? target.value / at : at / target.value);
  return barChart({
    title: 'Targets',
    note: `1 is the target, more is better (${TIMES_MAX}: that or more); the whisker is the spread. Node ${machine.node}, ${machine.cpu}, commit ${machine.commit}`,
    axis: 'reached ÷ target, or target ÷ reached where less is better',
    bars: reached.map((each) => {
      const ends = [each.low, each.high].filter((end) => end !== undefined).map((end) => part(each, end));
      const label = `${each.id} ${each.what}`.slice(0, 48);
      const bar = { label, parts: [{ name: '', value: part(each) }] };
      return ends.length === 2 ? { ...bar, low: Math.min(...ends), high: Math.max(...ends) } : bar;
    }),
  });
}

/** Writes what a run has measured as `stem`.json, its tables as Markdown, and the plot of its targets. */
export function writeRun(
  stem: string,
  result: object,
  tables: readonly string[],
  reached: readonly Reached[],
  machine: Machine,
): void {
  writeFileSync(`${stem}.json`, `${JSON.stringify(result, null, 1)}\n`);
  writeFileSync(`${stem}.md`, `${tables.join('\n')}\n`);
  if (reached.length > 0) writeFileSync(`${stem}.svg`, targetsPlot(reached, machine));
}
