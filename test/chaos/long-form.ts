// What the long forms of the chaos tests share as programs: a seed, told first, a place for the data, a log with the time,
// and an end that keeps the data of a run that has found something.

import { randomInt } from 'node:crypto';
import { temporaryDataDir } from '../harness/node-process.js';

const SEED_MAX = 0xffff_ffff;

/** For `parseArgs`. */
export const LONG_FORM_OPTIONS = { seed: { type: 'string' }, 'data-dir': { type: 'string' } } as const;

export interface LongForm {
  readonly seed: number;
  readonly dataDir: string;
  readonly log: (text: string) => void;
}

/** Runs it, prints what it came to, and ends the process: with 1 if anything is wrong. */
export async function runLongForm(
  given: { readonly seed?: string | undefined; readonly 'data-dir'?: string | undefined },
  run: (form: LongForm) => Promise<{ readonly problems: readonly string[] }>,
): Promise<never> {
  const seed = given.seed === undefined ? randomInt(SEED_MAX) : Number.parseInt(given.seed, 10);
  console.log(`seed ${seed}`);
  const place = given['data-dir'] === undefined ? await temporaryDataDir() : undefined;
  const dataDir = given['data-dir'] ?? (place?.dataDir as string);
  const startMs = performance.now();
  const log = (text: string): void =>
    console.log(`${((performance.now() - startMs) / 1_000).toFixed(1)} s  ${text}`);
  const { problems, ...counts } = await run({ seed, dataDir, log });
  console.log(JSON.stringify(counts));
  for (const problem of problems) console.log(`WRONG  ${problem}`);
  if (problems.length === 0) {
    console.log('nothing lost, nothing doubled');
    await place?.remove();
  } else console.log(`data kept in ${dataDir}`);
  process.exit(problems.length === 0 ? 0 : 1);
}
