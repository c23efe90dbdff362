// `openbell config`: every setting as it stands, where its value came from, and secrets hidden.

import { describeConfig } from '../core/config.js';
import { configConflicts } from '../core/config-conflicts.js';
import { EXIT } from '../core/exit-codes.js';
import { CONFIG_OPTION, JSON_OPTION, readArguments } from './arguments.js';
import { fail } from './failure.js';
import { commandConfig } from './load-config.js';
import { printJson, printTable } from './output.js';

const SPEC = {
  name: 'config',
  positionals: [],
  summary: 'Print the configuration that the processes would run with, secrets hidden.',
  options: { ...CONFIG_OPTION, ...JSON_OPTION },
  notes:
    'A key of the YAML file is its variable without OPENBELL_, in camelCase: OPENBELL_DATA_DIR is dataDir.',
} as const;

export async function configCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const { config: file, json } = parsed.value.values;
  const config = commandConfig(file, env);
  if (!config.ok) return fail(config.error);
  const lines = describeConfig(config.value);
  if (json === true) {
    printJson(
      Object.fromEntries(lines.map(({ key, variable, value, source }) => [key, { value, source, variable }])),
    );
  } else {
    const rows = lines.map(({ key, variable, value, source }) => [key, shown(value), source, variable]);
    printTable(['KEY', 'VALUE', 'FROM', 'VARIABLE'], rows);
  }
  for (const problem of configConflicts(config.value)) process.stderr.write(`note: ${problem.message}\n`);
  return EXIT.done;
}

function shown(value: unknown): string {
  if (value === null) return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.join(',');
  return String(value);
}
