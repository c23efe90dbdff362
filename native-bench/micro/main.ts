// `npm run bench:micro -- [NAME...] [--smoke] [--seconds N] [--compare FILE]`: runs the micro suites, prints their tables,
// and writes a JSON file and a plot for each suite. With --compare it says what has changed, and exits 1 when a case got slower.

import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from '../common/machine.js';
import { plotOf } from './plot.js';
import { compareResults, type MicroResult, markdown, markdownOfChanges, readResult } from './result-file.js';
import { runSuites, suitesNamed } from './run.js';
import { type Effort, SMOKE } from './suite.js';

const RESULTS = fileURLToPath(new URL('../../../native-bench/results', import.meta.url));

/** For each case. */
const SECONDS_MAX = 60;

export interface Printer {
  /** Results. */
  readonly out: (text: string) => void;
  /** Progress. */
  readonly log: (line: string) => void;
}

/**
 * Runs what the arguments ask for; the exit code.
 * @throws for arguments that are none, and what the first case throws that fails
 */
export async function benchMicro(args: readonly string[], { out, log }: Printer): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '1' },
      compare: { type: 'string' },
      scratch: { type: 'string', default: tmpdir() },
      out: { type: 'string', default: RESULTS },
    },
  });
  const suites = suitesNamed(positionals);
  const before = values.compare === undefined ? null : readResult(values.compare);
  const machine = describeMachine(values.scratch);
  if (machine.disk === 'tmpfs' && !values.smoke && suites.some(({ syncs }) => syncs === true))
    throw new Error(`${values.scratch} is in memory, where a sync costs nothing: --scratch DIR`);
  const effort = values.smoke ? SMOKE : measuring(values.seconds);
  const at = new Date().toISOString();
  const dir = await mkdtemp(join(values.scratch, 'openbell-micro-'));
  try {
    const results = await runSuites(suites, { dir, smoke: values.smoke, effort, log });
    const result: MicroResult = { kind: 'micro', at, machine, effort, suites: results };
    out(
      `${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, ${machine.disk}, commit ${machine.commit}\n`,
    );
    out(markdown(results));
    // Figures of the smoke size mean nothing, so none are kept.
    if (!values.smoke) out(`written to ${writeResult(values.out, result)}`);
    if (before === null) return 0;
    const changes = compareResults(before, result);
    out(markdownOfChanges(changes));
    return changes.some(({ verdict }) => verdict === 'slower') ? 1 : 0;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A quarter of the time goes before, so that the compiler has done its part. */
function measuring(seconds: string): Effort {
  const timeMs = Number(seconds) * 1e3;
  if (!(timeMs > 0 && timeMs <= SECONDS_MAX * 1e3))
    throw new Error(`--seconds takes a number above 0, at most ${SECONDS_MAX}, not ${seconds}`);
  return { timeMs, samples: 64, warmUpMs: timeMs / 4 };
}

/** The path of the JSON file; the plots are beside it. */
function writeResult(dir: string, result: MicroResult): string {
  mkdirSync(dir, { recursive: true });
  const stem = join(dir, `micro-${result.at.slice(0, 19).replaceAll(':', '')}`);
  writeFileSync(`${stem}.json`, `${JSON.stringify(result, null, 1)}\n`);
  for (const suite of result.suites)
    writeFileSync(`${stem}-${suite.name}.svg`, plotOf(suite, result.machine));
  return `${stem}.json`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await benchMicro(process.argv.slice(2), { out: console.log, log: console.error });
}
