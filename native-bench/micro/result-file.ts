// The result of a run: its JSON file, its Markdown tables, and the comparison with an earlier one.

import { readFileSync } from 'node:fs';
import type { Machine } from '../common/machine.js';
import type { CaseResult, Effort, SuiteResult } from './suite.js';

export interface MicroResult {
  readonly kind: 'micro';
  /** RFC 3339. */
  readonly at: string;
  readonly machine: Machine;
  readonly effort: Effort;
  readonly suites: readonly SuiteResult[];
}

/** What became of a case since an earlier run. */
export interface CaseChange {
  readonly suite: string;
  readonly name: string;
  /** Medians, in microseconds of one operation. */
  readonly beforeUs: number;
  readonly nowUs: number;
  /** How far apart the medians may be by chance, in microseconds. */
  readonly noiseUs: number;
  readonly verdict: 'slower' | 'faster' | 'same';
}

/** A median that moves by less than this part of it is not a change, noise or not. */
const CHANGE_RATIO = 0.15;
/** Makes a median absolute deviation comparable with a standard deviation, for a normal distribution. */
const MAD_TO_SIGMA = 1.4826;

/** Reads a file that a run wrote. Throws when it is something else. */
export function readResult(file: string): MicroResult {
  const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<MicroResult>;
  if (value.kind !== 'micro' || !Array.isArray(value.suites))
    throw new Error(`${file} holds no micro benchmarks`);
  return value as MicroResult;
}

/**
 * The cases that both runs have. A case has changed when its medians are apart by more than 15 % of the earlier one and
 * the noise together; noise is the larger of the two scaled median absolute deviations.
 */
export function compareResults(before: MicroResult, now: MicroResult): CaseChange[] {
  const earlier = new Map<string, CaseResult>();
  for (const { name, cases } of before.suites)
    for (const each of cases) earlier.set(`${name}\n${each.name}`, each);
  return now.suites.flatMap(({ name: suite, cases }) =>
    cases.flatMap((each) => {
      const was = earlier.get(`${suite}\n${each.name}`);
      return was === undefined ? [] : [changeOf(suite, was, each)];
    }),
  );
}

function changeOf(suite: string, before: CaseResult, now: CaseResult): CaseChange {
  const [beforeUs, nowUs] = [before.latencyUs.p50, now.latencyUs.p50];
  const noiseUs = MAD_TO_SIGMA * Math.max(before.latencyUs.mad, now.latencyUs.mad);
  const allowedUs = CHANGE_RATIO * beforeUs + noiseUs;
  const verdict = nowUs - beforeUs > allowedUs ? 'slower' : beforeUs - nowUs > allowedUs ? 'faster' : 'same';
  return { suite, name: now.name, beforeUs, nowUs, noiseUs, verdict };
}

/** Three significant digits, without an exponent. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-GB');
  return value.toPrecision(3);
}

/** One table a suite. */
export function markdown(suites: readonly SuiteResult[]): string {
  return suites
    .map(({ name, about, cases }) =>
      [
        `### ${name}`,
        '',
        `${about}`,
        '',
        '| case | p50 µs | p75 | p99 | p99.9 | mean | ± % | operations/s | samples |',
        '|---|---|---|---|---|---|---|---|---|',
        ...cases.map(({ name: label, latencyUs: { p50, p75, p99, p999, mean }, ...rest }) => {
          const times = [p50, p75, p99, p999, mean, rest.rmePercent, rest.perSecond].map(figure);
          return `| ${label} | ${times.join(' | ')} | ${rest.samples} × ${rest.operations} |`;
        }),
        '',
      ].join('\n'),
    )
    .join('\n');
}

/** The changed cases first, then how many stayed. */
export function markdownOfChanges(changes: readonly CaseChange[]): string {
  const changed = changes.filter(({ verdict }) => verdict !== 'same');
  const rows = changed.map(({ suite, name, beforeUs, nowUs, noiseUs, verdict }) => {
    const percent = Math.round((nowUs / beforeUs - 1) * 100);
    const times = [beforeUs, nowUs, noiseUs].map(figure).join(' | ');
    return `| ${suite}: ${name} | ${times} | ${percent > 0 ? '+' : ''}${percent} % | ${verdict} |`;
  });
  const table = [
    '| case | before µs | now µs | noise µs | change | |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ];
  const same = `${changes.length - changed.length} of ${changes.length} cases changed by less than 15 % and the noise.`;
  return [...(changed.length > 0 ? table : []), same, ''].join('\n');
}
