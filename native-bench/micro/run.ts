// All micro suites, by name, and running them one after the other.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BODY_PARSE } from './body-parse.js';
import { CAP_COUNTER } from './cap-counter.js';
import { CODEC } from './codec.js';
import { DECISION } from './decision.js';
import { HAND_OFF } from './hand-off.js';
import { IDEMPOTENCY } from './idempotency.js';
import { INDEX_FLUSH } from './index-flush.js';
import { JOURNAL_APPEND } from './journal-append.js';
import { type Effort, runSuite, type Suite, type SuiteResult } from './suite.js';
import { TOKEN_CHECK } from './token-check.js';

export const SUITES: readonly Suite[] = [
  DECISION,
  TOKEN_CHECK,
  BODY_PARSE,
  CODEC,
  CAP_COUNTER,
  IDEMPOTENCY,
  JOURNAL_APPEND,
  HAND_OFF,
  INDEX_FLUSH,
];

/** The suites of these names, all of them for none. Throws for a name that is no suite's. */
export function suitesNamed(names: readonly string[]): readonly Suite[] {
  const known = SUITES.map(({ name }) => name);
  const wrong = names.filter((name) => !known.includes(name));
  if (wrong.length > 0) throw new Error(`no such suite: ${wrong.join(', ')}; there are ${known.join(', ')}`);
  return names.length === 0 ? SUITES : SUITES.filter(({ name }) => names.includes(name));
}

export interface RunOptions {
  /** On a real disk; each suite gets a directory in it. */
  readonly dir: string;
  readonly smoke: boolean;
  readonly effort: Effort;
  readonly log: (line: string) => void;
}

/** Throws what the first case throws that fails. */
export async function runSuites(suites: readonly Suite[], options: RunOptions): Promise<SuiteResult[]> {
  const results: SuiteResult[] = [];
  for (const suite of suites) {
    options.log(suite.name);
    const dir = join(options.dir, suite.name);
    mkdirSync(dir, { recursive: true });
    const world = { dir, size: (full: number, smoke: number) => (options.smoke ? smoke : full) };
    results.push(await runSuite(suite, world, options.effort));
  }
  return results;
}
