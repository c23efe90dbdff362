// `npm run bench:micro -- [NAME...] [--smoke] [--compare FILE]`: runs the micro suites, prints their tables, and writes
// a JSON file and a plot for each suite. With --compare it says what has changed, and exits 1 when a case got slower.

import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from '../common/machine.js';
import { plotOf } from './plot.js';
import { compareResults, type MicroResult, markdown, markdownOfChanges, readResult } from './result-file.js';
import { runSuites, suitesNamed } from './run.js';
import { FULL, SMOKE } from './suite.js';

const RESULTS = fileURLToPath(new URL('../../../native-bench/results', import.meta.url));

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      compare: { type: 'string' },
      scratch: { type: 'string', default: tmpdir() },
      out: { type: 'string', default: RESULTS },
    },
  });
  const suites = suitesNamed(positionals);
  const before = values.compare === undefined ? null : readResult(values.compare);
  const machine = describeMachine(values.scratch);
  if (machine.disk === 'tmpfs' && !values.smoke)
    throw new Error(`${values.scratch} is in memory, where a sync costs nothing: --scratch DIR`);
  const effort = values.smoke ? SMOKE : FULL;
  const at = new Date().toISOString();
  const dir = await mkdtemp(join(values.scratch, 'openbell-micro-'));
  try {
    const log = (line: string) => console.error(line);
    const results = await runSuites(suites, { dir, smoke: values.smoke, effort, log });
    const result: MicroResult = { kind: 'micro', at, machine, effort, suites: results };
    console.log(
      `${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, ${machine.disk}, commit ${machine.commit}\n`,
    );
    console.log(markdown(results));
    // Figures of the smoke size mean nothing, so none are kept.
    if (!values.smoke) writeResult(values.out, result);
    if (before === null) return 0;
    const changes = compareResults(before, result);
    console.log(markdownOfChanges(changes));
    return changes.some(({ verdict }) => verdict === 'slower') ? 1 : 0;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function writeResult(dir: string, result: MicroResult): void {
  mkdirSync(dir, { recursive: true });
  const stem = join(dir, `micro-${result.at.slice(0, 19).replaceAll(':', '')}`);
  writeFileSync(`${stem}.json`, `${JSON.stringify(result, null, 1)}\n`);
  for (const suite of result.suites)
    writeFileSync(`${stem}-${suite.name}.svg`, plotOf(suite, result.machine));
  console.log(`written to ${stem}.json, plots beside it`);
}

process.exitCode = await main();
