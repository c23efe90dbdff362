// `openbell replay`: has the edge publish again what the ledger has not confirmed, and write again the rows that Cassandra
// lacks. Both are idempotent.

import { EXIT } from '../core/exit-codes.js';
import { ok, type Result } from '../core/result.js';
import { adminClient } from './admin-client.js';
import { readArguments } from './arguments.js';
import { EDGE_OPTIONS, edgeClient, withUrls } from './edge-client.js';
import { type Failure, fail } from './failure.js';
import { commandConfig } from './load-config.js';
import { printJson, printLine } from './output.js';

const SPEC = {
  name: 'replay',
  positionals: [],
  summary:
    'Publish again every accepted investment that the ledger has not confirmed, and mend the rows in Cassandra.',
  options: {
    'dry-run': { type: 'boolean', help: 'only say how many there are' },
    quarantined: { type: 'boolean', help: 'first let the ledger try again what it has died over' },
    'ledger-url': {
      type: 'string',
      value: 'URL',
      help: "the ledger's admin port, for --quarantined (default OPENBELL_LEDGER_URL)",
    },
    ...EDGE_OPTIONS,
  },
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
  let released: readonly string[] = [];
  if (values.quarantined === true) {
    const answer = await release(values, env);
    if (!answer.ok) return fail(answer.error);
    released = answer.value;
  }
  const data = JSON.stringify({ dryRun: values['dry-run'] === true });
  const answer = await client.value.call('POST', '/admin/v1/replay', { type: 'application/json', data });
  if (!answer.ok) return fail(answer.error);
  const { unconfirmed, published, rows } = answer.value as ReplayAnswer;
  if (values.json === true) {
    printJson({ ...(answer.value as ReplayAnswer), ...(values.quarantined === true && { released }) });
    return EXIT.done;
  }
  for (const id of released)
    printLine(`${id} ${values['dry-run'] === true ? 'is in' : 'was let out of'} quarantine`);
  printLine(`${unconfirmed} not confirmed by the ledger, ${published} published again`);
  if (rows !== null) {
    const { compared, missing, differing, repaired } = rows;
    printLine(
      `${compared} rows in Cassandra: ${missing} missing, ${differing} differ, ${repaired} written again`,
    );
  }
  return EXIT.done;
}

interface ReleaseValues {
  readonly 'dry-run': boolean | undefined;
  readonly 'ledger-url': string | undefined;
  readonly config: string | undefined;
}

/** Lets everything out of the ledger's quarantine, so that what is published after it is tried; a dry run only lists it. */
async function release(
  values: ReleaseValues,
  env: NodeJS.ProcessEnv,
): Promise<Result<readonly string[], Failure>> {
  const config = commandConfig(values.config, withUrls({ OPENBELL_LEDGER_URL: values['ledger-url'] }, env));
  if (!config.ok) return config;
  const ledger = adminClient(config.value, 'ledger');
  if (!ledger.ok) return ledger;
  if (values['dry-run'] === true) {
    const summary = await ledger.value.call('GET', '/admin/v1/summary');
    if (!summary.ok) return summary;
    const { quarantined = [] } = summary.value as { quarantined?: readonly { readonly id: string }[] };
    return ok(quarantined.map(({ id }) => id));
  }
  const answer = await ledger.value.call('POST', '/admin/v1/quarantine/release');
  return answer.ok ? ok((answer.value as { released: readonly string[] }).released) : answer;
}
