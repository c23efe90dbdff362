// `openbell replay`: has the edge publish again what the ledger has not confirmed. The ledger is idempotent.

import { EXIT } from '../core/exit-codes.js';
import { readArguments } from './arguments.js';
import { EDGE_OPTIONS, edgeClient } from './edge-client.js';
import { fail } from './failure.js';
import { printJson, printLine } from './output.js';

const SPEC = {
  name: 'replay',
  positionals: [],
  summary: 'Publish again every accepted investment that the ledger has not confirmed.',
  options: { 'dry-run': { type: 'boolean', help: 'only say how many there are' }, ...EDGE_OPTIONS },
  notes: 'It does no harm at any time: the ledger settles each investment once, however often it arrives.',
} as const;

interface ReplayAnswer {
  readonly unconfirmed: number;
  readonly published: number;
}

export async function replayCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const { values } = parsed.value;
  const client = edgeClient(values, env);
  if (!client.ok) return fail(client.error);
  const data = JSON.stringify({ dryRun: values['dry-run'] === true });
  const answer = await client.value.call('POST', '/admin/v1/replay', { type: 'application/json', data });
  if (!answer.ok) return fail(answer.error);
  const { unconfirmed, published } = answer.value as ReplayAnswer;
  if (values.json === true) printJson(answer.value);
  else printLine(`${unconfirmed} not confirmed by the ledger, ${published} published again`);
  return EXIT.done;
}
