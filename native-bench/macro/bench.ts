// `npm run bench -- [r1 r3 ...] [--full] [--known N] [--scratch DIR]`: measures the ratios that the project holds itself to,
// prints a table of targets, and writes JSON, Markdown and plots. Every edge is first shown to sync before it answers.

import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, type Machine } from '../common/machine.js';
import { openBench } from './bench-context.js';
import { targetsTable, writeRun } from './bench-report.js';
import { RATIOS } from './ratios/list.js';
import { FULL, type Measured, NORMAL, type Ratio, type Reached, type Sizes } from './ratios/ratio.js';

const RESULTS = fileURLToPath(new URL('../../../native-bench/results', import.meta.url));

export interface BenchResult {
  readonly reached: readonly Reached[];
  readonly details: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
  /** Ratios without a figure, or without one of their figures, and why. */
  readonly failed: Readonly<Record<string, string>>;
}

export interface RunOptions {
  readonly ratios: readonly Ratio[];
  readonly sizes: Sizes;
  /** On the disk that is to be measured. */
  readonly scratch: string;
  /** How many edges are shown to sync, from the first. */
  readonly syncChecks: number;
  readonly log: (line: string) => void;
}

/** The ratios of these names; all when there are none. Throws for a name that is none. */
export function ratiosNamed(names: readonly string[]): Ratio[] {
  const known = RATIOS.flatMap(({ ids }) => ids);
  const wrong = names.find((name) => !known.includes(name.toLowerCase()));
  if (wrong !== undefined) throw new Error(`${wrong} is no ratio; there are ${known.join(', ')}`);
  if (names.length === 0) return [...RATIOS];
  return RATIOS.filter(({ ids }) => names.some((name) => ids.includes(name.toLowerCase())));
}

/** One after the other; one that fails has no figure, and the others are measured all the same. */
export async function runRatios(options: RunOptions): Promise<BenchResult> {
  const { ratios, sizes, scratch, syncChecks, log } = options;
  const dir = await mkdtemp(join(scratch, 'openbell-bench-'));
  const bench = openBench({ dir, sizes, syncChecks, log });
  const reached: Reached[] = [];
  const details: Record<string, unknown> = {};
  const notes: string[] = [];
  const failed: Record<string, string> = {};
  try {
    for (const { ids, title, measure } of ratios) {
      const name = ids.join(' ');
      log(`${name.toUpperCase()}: ${title}`);
      try {
        const measured: Measured = await measure(bench);
        reached.push(...measured.reached);
        details[name] = measured.detail;
        notes.push(...(measured.notes ?? []));
        const { missing = [] } = measured;
        if (missing.length > 0) failed[name] = missing.join('; ');
        log(targetsTable(measured.reached));
      } catch (error) {
        failed[name] = String(error);
        log(`${name} has no figure: ${String(error)}`);
      }
    }
    return { reached, details, notes, failed };
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The targets, what else is to be said, and what is missing. */
function tables({ reached, notes, failed }: BenchResult): string[] {
  const gaps = Object.entries(failed).map(([name, why]) => `${name} is not whole: ${why}`);
  return [targetsTable(reached), ...notes, ...gaps];
}

/** The path of the JSON file; table and plot are beside it. */
function writeResult(out: string, machine: Machine, sizes: Sizes, result: BenchResult): string {
  const at = new Date().toISOString();
  mkdirSync(out, { recursive: true });
  const stem = join(out, `bench-${at.slice(0, 19).replaceAll(':', '')}`);
  writeRun(stem, { kind: 'macro', at, machine, sizes, ...result }, tables(result), result.reached, machine);
  return `${stem}.json`;
}

function positive(text: string, name: string): number {
  if (!/^[1-9]\d{0,7}$/.test(text)) throw new Error(`--${name} takes whole numbers above 0, not ${text}`);
  return Number.parseInt(text, 10);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      connections: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      known: { type: 'string' },
      admitted: { type: 'string' },
      scratch: { type: 'string', default: tmpdir() },
      out: { type: 'string', default: RESULTS },
    },
  });
  const base = values.full ? FULL : NORMAL;
  const set = (name: 'rounds' | 'seconds' | 'known' | 'admitted'): number => {
    const text = values[name];
    return text === undefined ? base[name] : positive(text, name);
  };
  const sizes: Sizes = {
    ...base,
    ...{ rounds: set('rounds'), seconds: set('seconds'), known: set('known'), admitted: set('admitted') },
    connections:
      values.connections === undefined
        ? base.connections
        : values.connections.split(',').map((text) => positive(text, 'connections')),
  };
  const ratios = ratiosNamed(positionals);
  const { scratch, out } = values;
  const machine = describeMachine(scratch);
  if (machine.disk === 'tmpfs')
    throw new Error(`${scratch} is in memory, where a sync costs nothing: --scratch DIR`);
  const log = (line: string): void => console.error(line);
  const result = await runRatios({ ratios, sizes, scratch, syncChecks: Number.POSITIVE_INFINITY, log });
  console.log(
    `${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, ${machine.disk}, commit ${machine.commit}\n`,
  );
  for (const table of tables(result)) console.log(table);
  console.log(`written to ${writeResult(out, machine, sizes, result)}`);
  if (Object.keys(result.failed).length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
