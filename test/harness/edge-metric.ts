// Samples of the metrics of a running edge.

import assert from 'node:assert/strict';
import type { EdgeProcess } from './node-process.js';

/** The sample of this name, with its labels where it has any; null when there is none. */
export async function metricOrNull(edge: EdgeProcess, name: string): Promise<number | null> {
  const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
}

/** The same; fails when there is none. */
export async function metric(edge: EdgeProcess, name: string): Promise<number> {
  return (await metricOrNull(edge, name)) ?? assert.fail(`there is no ${name}`);
}
