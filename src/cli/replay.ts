// `openbell replay`: has the edge publish again what the ledger has not confirmed, and write again the rows that Cassandra
// lacks. Both are idempotent.

import { EXIT } from '../core/exit-codes.js';
import { readArguments } from './arguments.js';
import { EDGE_OPTIONS, edgeClient } from './edge-client.js';
import { fail } from './failure.js';
import { printJson, printLine } from './output.js';

const SPEC = {
  name: 'replay',
  positionals: [],
  summary:
    'Publish again every accepted investment that the ledger has not confirmed, and mend the rows in Cassandra.',
  options: { 'dry-run': { type: 'boolean', help: 'only say how many there are' }, ...EDGE_OPTIONS },
  notes: `It does no harm at any time: the ledger settles each investment once, however often it arrives, and rows are written
as the journal has them.`,
} as const;

interface ReplayAnswer {
  readonly unconfirmed: number;
  readonly published: number;
  readonly rows: {
    readonly compared: number;
    readonly missing: number;
    readonly differing: number;
    readonly repaired: number;
  } | null;
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
  const { unconfirmed, published, rows } = answer.value as ReplayAnswer;
  if (values.json === true) {
    printJson(answer.value);
    return EXIT.done;
  }
  printLine(`${unconfirmed} not confirmed by the ledger, ${published} published again`);
  if (rows !== null) {
    const { compared, missing, differing, repaired } = rows;
    printLine(
      `${compared} rows in Cassandra: ${missing} missing, ${differing} differ, ${repaired} written again`,
    );
  }
  return EXIT.done;
}
