// What a run comes to: figures, verdicts by code, and a line for each invariant that was checked.

import type { Histogram } from 'hdr-histogram-js';
import { EXPECTED_CODES } from './answer.js';
import { type AnswerLog, STATE } from './answer-log.js';
import type { Check } from './checks.js';
import type { Dispatcher } from './dispatcher.js';
import type { RushOptions } from './options.js';

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface RushReport {
  readonly round: string;
  readonly seed: number;
  readonly transport: string;
  readonly format: string;
  readonly curve: string;
  readonly connections: number;
  readonly investors: number;
  readonly attempts: number;
  /** From the first intended send to the last answer. */
  readonly durationS: number;
  /** Attempts a second as they were meant to be sent, and answers a second. */
  readonly offeredPerS: number;
  readonly achievedPerS: number;
  /** Accepted answers a second, replays left out. */
  readonly admittedPerS: number;
  /** Milliseconds from the intended time to the answer. */
  readonly latencyMs: Percentiles;
  /** Milliseconds from the intended time to the send: the part of the latency that this tool made. */
  readonly latenessMs: Percentiles;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly replayed: number;
  /** Answers that a correct client should never get, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Never sent: more were due than may be in flight and wait. */
  readonly dropped: number;
  /** Asked again after no answer, and why. */
  readonly retries: number;
  readonly losses: Readonly<Record<string, number>>;
  /** Still without an answer at the end. */
  readonly unknown: number;
  readonly checks: readonly Check[];
  /** Everything was answered as it should be and every check holds. */
  readonly ok: boolean;
}

/** Sums the run up. */
export function makeReport(
  options: RushOptions,
  round: string,
  log: AnswerLog,
  dispatcher: Dispatcher,
  checks: readonly Check[],
): RushReport {
  const verdicts: Record<string, number> = {};
  const errors: Record<string, number> = {};
  const states = [0, 0, 0, 0];
  let replayed = 0;
  let admitted = 0;
  for (let attempt = 0; attempt < log.size; attempt++) {
    const state = log.state(attempt);
    states[state] = (states[state] ?? 0) + 1;
    if (state !== STATE.answered) continue;
    const code = log.code(attempt);
    const counts = EXPECTED_CODES.has(code) ? verdicts : errors;
    counts[code] = (counts[code] ?? 0) + 1;
    if (log.isReplayed(attempt)) replayed++;
    else if (code === 'accepted') admitted++;
  }
  const { startMs, lastSendMs, lastAnswerMs } = dispatcher.times;
  const answered = states[STATE.answered] ?? 0;
  const dropped = states[STATE.dropped] ?? 0;
  const unknown = (states[STATE.unknown] ?? 0) + (states[STATE.waiting] ?? 0);
  const durationS = Math.max(0.001, (Math.max(lastSendMs, lastAnswerMs) - startMs) / 1_000);
  const sendingS = Math.max(0.001, (lastSendMs - startMs) / 1_000);
  const failed =
    Object.keys(errors).length > 0 || dropped > 0 || unknown > 0 || checks.some((check) => !check.ok);
  return {
    round,
    seed: options.seed,
    transport: options.transport,
    format: options.format,
    curve: options.curve,
    connections: options.connections,
    investors: options.investors,
    attempts: log.size,
    durationS: rounded(durationS),
    offeredPerS: rounded(log.size / sendingS),
    achievedPerS: rounded(answered / durationS),
    admittedPerS: rounded(admitted / durationS),
    latencyMs: percentiles(dispatcher.latency),
    latenessMs: percentiles(dispatcher.lateness),
    verdicts,
    replayed,
    errors,
    dropped,
    retries: dispatcher.retries,
    losses: Object.fromEntries(dispatcher.losses),
    unknown,
    checks,
    ok: !failed,
  };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function percentiles(histogram: Histogram): Percentiles {
  const at = (percentile: number): number =>
    histogram.totalCount === 0 ? 0 : rounded(histogram.getValueAtPercentile(percentile) / 1_000);
  const max = histogram.totalCount === 0 ? 0 : rounded(histogram.maxValue / 1_000);
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max };
}

function listed(counts: Readonly<Record<string, number>>): string {
  const lines = Object.entries(counts)
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`);
  return lines.length === 0 ? 'none' : lines.join(', ');
}

/** The report for people. */
export function reportText(report: RushReport): string {
  const times = ({ p50, p90, p99, p999, max }: Percentiles): string =>
    `p50 ${p50}  p90 ${p90}  p99 ${p99}  p99.9 ${p999}  max ${max} ms`;
  const lines = [
    `round ${report.round}: ${report.attempts} attempts of ${report.investors} investors over ${report.connections} connections (${report.transport}, ${report.format}, ${report.curve}), seed ${report.seed}`,
    `rate       offered ${report.offeredPerS}/s, answered ${report.achievedPerS}/s, admitted ${report.admittedPerS}/s, ${report.durationS} s`,
    `latency    ${times(report.latencyMs)} (from the intended time)`,
    `lateness   ${times(report.latenessMs)} (this tool's part of it)`,
    `verdicts   ${listed(report.verdicts)}; ${report.replayed} replayed`,
    `errors     ${listed(report.errors)}`,
    `dropped    ${report.dropped}`,
    `retries    ${report.retries} (${listed(report.losses)})`,
    `unknown    ${report.unknown}`,
    ...report.checks.map(
      ({ name, ok, detail }) => `${name.padEnd(4)} ${ok ? 'holds ' : 'BROKEN'}  ${detail}`,
    ),
    report.ok ? 'all is as promised' : 'FAILED',
  ];
  return lines.join('\n');
}
