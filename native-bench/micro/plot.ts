// The plot of a micro suite: the median of each case as a bar, its spread as a whisker.

import type { Machine } from '../common/machine.js';
import { barChart } from '../common/svg.js';
import type { SuiteResult } from './suite.js';

/** An SVG document. The whisker is the median absolute deviation to both sides. */
export function plotOf({ name, about, cases }: SuiteResult, machine: Machine): string {
  return barChart({
    title: name,
    note: `${about} Node ${machine.node}, ${machine.cpu}, commit ${machine.commit}`,
    axis: 'median, µs',
    bars: cases.map(({ name: label, latencyUs: { p50, mad } }) => ({
      label,
      parts: [{ name: '', value: p50 }],
      low: Math.max(0, p50 - mad),
      high: p50 + mad,
    })),
  });
}
