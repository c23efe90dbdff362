// `openbell journal verify|dump`: the journal of a data directory, read from its files. Nothing is changed, and the node
// may be running: what it is writing at that moment shows as bytes behind the end.

import { once } from 'node:events';
import path from 'node:path';
import { EXIT, type ExitCode } from '../core/exit-codes.js';
import { describeDamage } from '../core/journal-format.js';
import { nearest } from '../core/nearest.js';
import { err, ok, type Result } from '../core/result.js';
import { forEachRow } from '../core/row-codec.js';
import type { JournalFrame } from '../workers/journal-reader.js';
import { listSegments } from '../workers/journal-segments.js';
import { isSound, type JournalReport, verifyJournal } from '../workers/journal-verify.js';
import { walkJournal } from '../workers/journal-walk.js';
import { CONFIG_OPTION, JSON_OPTION, type OptionSpecs, readArguments, usageFailure } from './arguments.js';
import { type Failure, fail } from './failure.js';
import { rowJson, rowLine } from './journal-rows.js';
import { commandConfig } from './load-config.js';
import { printJson, printLine, printTable } from './output.js';

const PLACE_OPTIONS = {
  'data-dir': { type: 'string', value: 'DIR', help: 'the data directory (default: as configured)' },
  ...CONFIG_OPTION,
} as const satisfies OptionSpecs;

const VERIFY = {
  name: 'journal verify',
  positionals: [],
  summary:
    'Check every frame and row of the journal and what it shows of the invariants; exit 1 if anything is wrong.',
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
} as const;

const DUMP = {
  name: 'journal dump',
  positionals: [],
  summary: 'Print the rows of the journal, one a line.',
  options: {
    from: { type: 'string', value: 'SEQ', help: 'the first sequence to print (default 1)' },
    limit: { type: 'string', value: 'N', help: 'at most this many rows' },
    ...PLACE_OPTIONS,
    json: { type: 'boolean', help: 'one JSON object a line' },
  },
} as const;

const SUBCOMMANDS: Readonly<
  Record<string, (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<ExitCode>>
> = {
  verify,
  dump,
};

const HELP = `The journal of a data directory, read from its files; nothing is changed.

usage: openbell journal <verify|dump> [options]

  openbell journal verify --data-dir ./data
  openbell journal dump --from 1200 --limit 20 --json
`;

/** Exit codes: 0 sound, 1 damage or a broken invariant, 64 usage, 78 there is no journal in that directory. */
export async function journalCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h') {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  const names = Object.keys(SUBCOMMANDS);
  if (name === undefined) return fail(usageFailure('journal', `journal needs one of ${names.join(', ')}`));
  const command = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (command !== undefined) return command(rest, env);
  const meant = nearest(name, names);
  const hint = meant === null ? '' : `; did you mean ${meant}?`;
  return fail(usageFailure('journal', `unknown command journal ${name}${hint}`));
}

async function verify(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const parsed = readArguments(argv, VERIFY);
  if (!parsed.ok) return parsed.error as ExitCode;
  const dir = journalDir(parsed.value.values, env);
  if (!dir.ok) return fail(dir.error);
  const report = verifyJournal(dir.value, Number.POSITIVE_INFINITY);
  if (parsed.value.values.json === true) printJson({ ok: isSound(report), ...report });
  else printReport(report);
  return isSound(report) ? EXIT.done : EXIT.checkFailed;
}

function printReport(report: JournalReport): void {
  const { damage, torn, problems, problemCount, unchecked } = report;
  printLine(`journal ${report.journalId ?? '?'}: ${isSound(report) ? 'sound' : 'NOT SOUND'}`);
  printLine(`${report.frames} frames, ${report.rows} rows, last sequence ${report.lastSequence}`);
  if (damage !== null) printLine(describeDamage(damage));
  if (torn !== null) {
    const place = `segment ${torn.segment} at offset ${torn.offset}`;
    printLine(`torn tail: ${torn.bytes} bytes in ${place} are no whole frame; the next start cuts them`);
  }
  for (const { invariant, sequence, detail } of problems)
    printLine(`${invariant} broken at ${sequence}: ${detail}`);
  if (problemCount > problems.length) printLine(`and ${problemCount - problems.length} more`);
  if (unchecked.live > 0) printLine(`${unchecked.live} investments were too many to follow one by one`);
  if (unchecked.keys > 0) printLine(`${unchecked.keys} idempotency keys were too many to compare`);
  if (report.rounds.length === 0) return;
  printTable(
    ['round', 'cap', 'admitted', 'investors', 'settled', 'declined', 'rejected'],
    report.rounds.map(({ id, cap, admitted, investors, settled, declined, verdicts }) => {
      const { accepted: _accepted, ...rejected } = verdicts;
      return [
        id,
        cap,
        admitted,
        investors,
        settled,
        declined,
        Object.values(rejected).reduce((a, b) => a + b, 0),
      ];
    }),
  );
}

async function dump(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const parsed = readArguments(argv, DUMP);
  if (!parsed.ok) return parsed.error as ExitCode;
  const { values } = parsed.value;
  const from = parseCount(values.from ?? '1');
  if (from === null) return fail(usageFailure(DUMP.name, '--from must be a sequence: 1, 2, …'));
  const limit = values.limit === undefined ? Number.POSITIVE_INFINITY : parseCount(values.limit);
  if (limit === null) return fail(usageFailure(DUMP.name, '--limit must be a number of rows: 1, 2, …'));
  const dir = journalDir(values, env);
  if (!dir.ok) return fail(dir.error);
  const walk = walkJournal(dir.value, Number.POSITIVE_INFINITY);
  let step = walk.next();
  while (step.done !== true) {
    const { header } = step.value;
    if (header.firstSequence >= from + limit) return EXIT.done;
    if (header.firstSequence + header.count > from) {
      const failure = await printFrame(step.value, from, limit, values.json === true);
      if (failure !== null) return fail(failure);
    }
    step = walk.next();
  }
  if (step.value.ok) return EXIT.done;
  return fail({ message: describeDamage(step.value.error), exitCode: EXIT.checkFailed });
}

/** Prints the wanted rows of a frame, and waits while whoever reads them is slower. */
async function printFrame(
  frame: JournalFrame,
  from: number,
  limit: number,
  json: boolean,
): Promise<Failure | null> {
  const { firstSequence, count } = frame.header;
  let text = '';
  const read = forEachRow(frame.payload, firstSequence, count, (row) => {
    if (row.sequence >= from && row.sequence < from + limit)
      text += `${json ? rowJson(row) : rowLine(row)}\n`;
  });
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  if (read.ok) return null;
  const { segment, offset } = frame;
  const damage = { segment, offset, expectedSequence: firstSequence, reason: read.error };
  return { message: describeDamage(damage), exitCode: EXIT.checkFailed };
}

function parseCount(text: string): number | null {
  return /^[1-9]\d{0,14}$/.test(text) ? Number.parseInt(text, 10) : null;
}

function journalDir(
  values: { readonly 'data-dir': string | undefined; readonly config: string | undefined },
  env: NodeJS.ProcessEnv,
): Result<string, Failure> {
  let dataDir = values['data-dir'];
  if (dataDir === undefined) {
    const config = commandConfig(values.config, env);
    if (!config.ok) return config;
    dataDir = config.value.dataDir;
  }
  const dir = path.join(dataDir, 'edge', 'journal');
  if (listSegments(dir).length > 0) return ok(dir);
  return err({ message: `there is no journal in ${dir}`, exitCode: EXIT.config });
}
