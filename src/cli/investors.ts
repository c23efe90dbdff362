// `openbell investors import`: balances and eligibility from a file into the ledger's accounts and the edge's cache.

import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { IMPORT_FILE_BYTES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { type AdminClient, adminClient } from './admin-client.js';
import { readArguments, usageFailure } from './arguments.js';
import { EDGE_OPTIONS, withUrls } from './edge-client.js';
import { errorText, type Failure, fail } from './failure.js';
import { type CheckedFile, checkFile } from './import-check.js';
import { ImportProgress } from './import-progress.js';
import { sendFile } from './import-send.js';
import { commandConfig } from './load-config.js';
import { createLogger } from './logger.js';
import { printJson, printLine } from './output.js';
import { progressDisplay } from './progress-display.js';

const SPEC = {
  name: 'investors import',
  positionals: ['FILE|-'],
  summary: "Import investors into the ledger's accounts and the edge's cache; - reads standard input.",
  options: {
    'skip-bad': { type: 'boolean', help: 'leave bad lines out instead of importing nothing' },
    'edge-only': { type: 'boolean', help: 'only the cache of the edge: the ledger is elsewhere' },
    restart: { type: 'boolean', help: 'begin again, even if an earlier import of this file was interrupted' },
    'ledger-url': {
      type: 'string',
      value: 'URL',
      help: "the ledger's admin port (default OPENBELL_LEDGER_URL)",
    },
    ...EDGE_OPTIONS,
  },
  notes: `CSV lines are investor,balance,currency,eligible (a header is optional), NDJSON lines are objects with those
members; balances are minor units. The whole file is checked before anything is sent. An import that was interrupted
goes on where it stopped when the same command is run again. Memory: about 100 bytes for each investor.`,
} as const;

const HELP = `usage: openbell investors import [options] FILE|-

  openbell investors import --help   what it takes
`;

export async function investorsCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h') {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  if (name !== 'import') return fail(usageFailure('investors', 'investors needs the word import'));
  const parsed = readArguments(rest, SPEC);
  if (!parsed.ok) return parsed.error;
  const { values } = parsed.value;
  const flags = { OPENBELL_ADMIN_URL: values['admin-url'], OPENBELL_LEDGER_URL: values['ledger-url'] };
  const config = commandConfig(values.config, withUrls(flags, env));
  if (!config.ok) return fail(config.error);
  const job: Job = {
    config: config.value,
    logger: createLogger('investors', config.value.logLevel),
    skipBad: values['skip-bad'] === true,
    edgeOnly: values['edge-only'] === true,
    restart: values.restart === true,
    json: values.json === true,
  };
  const input = parsed.value.positionals[0]!;
  return input === '-' ? importStandardInput(job) : importPath(input, job);
}

interface Job {
  readonly config: Config;
  readonly logger: Logger;
  readonly skipBad: boolean;
  readonly edgeOnly: boolean;
  readonly restart: boolean;
  readonly json: boolean;
}

/** Standard input can be read once and an import reads twice, so it is written to a file first. */
async function importStandardInput(job: Job): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'openbell-import-'));
  try {
    const path = join(directory, 'stdin');
    const spooled = await spool(path);
    return spooled.ok ? await importPath(path, job) : fail(spooled.error);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function spool(path: string): Promise<Result<null, Failure>> {
  const file = await open(path, 'wx', 0o600);
  let bytes = 0;
  try {
    for await (const block of process.stdin as AsyncIterable<Buffer>) {
      bytes += block.length;
      if (bytes > IMPORT_FILE_BYTES_MAX) return err(tooLarge('standard input'));
      await file.writeFile(block);
    }
  } finally {
    await file.close();
  }
  return ok(null);
}

const tooLarge = (name: string): Failure => ({
  message: `${name} is larger than ${IMPORT_FILE_BYTES_MAX} bytes: import it in parts`,
  exitCode: EXIT.checkFailed,
});

async function importPath(path: string, job: Job): Promise<number> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    return fail({ message: `cannot read ${path}: ${errorText(error)}`, exitCode: EXIT.usage });
  }
  try {
    const { size } = await file.stat();
    return size > IMPORT_FILE_BYTES_MAX ? fail(tooLarge(path)) : await importFile(file, path, size, job);
  } finally {
    await file.close();
  }
}

async function importFile(file: FileHandle, path: string, bytes: number, job: Job): Promise<number> {
  const clients = openClients(job);
  if (!clients.ok) return fail(clients.error);
  const checking = progressDisplay('checking', 'bytes', bytes, job.logger);
  const checked = await checkFile(file, (read) => checking.update(read));
  checking.stop();
  if (!checked.ok)
    return fail({ message: `${path}: ${checked.error}; nothing is imported`, exitCode: EXIT.checkFailed });
  if (checked.value.badLineCount > 0) reportBadLines(checked.value, job);
  if (checked.value.badLineCount > 0 && !job.skipBad) {
    if (job.json) printJson(result(checked.value, 0, 0));
    return EXIT.checkFailed;
  }
  return sendChecked(file, checked.value, clients.value, job);
}

interface Clients {
  readonly edge: AdminClient;
  readonly ledger: AdminClient | null;
}

function openClients({ config, edgeOnly }: Job): Result<Clients, Failure> {
  const edge = adminClient(config, 'edge');
  if (!edge.ok) return edge;
  if (edgeOnly) return ok({ edge: edge.value, ledger: null });
  const ledger = adminClient(config, 'ledger');
  return ledger.ok ? ok({ edge: edge.value, ledger: ledger.value }) : ledger;
}

async function sendChecked(
  file: FileHandle,
  checked: CheckedFile,
  clients: Clients,
  job: Job,
): Promise<number> {
  const { edge, ledger } = clients;
  const parts = [checked.sha256, edge.baseUrl, ledger?.baseUrl ?? '-', String(job.skipBad)];
  const progress = new ImportProgress(job.config.dataDir, parts);
  if (job.restart) progress.clear();
  const stop = onInterrupt();
  const display = progressDisplay('importing', 'investors', checked.investors, job.logger);
  const startedAtMs = performance.now();
  const sent = await sendFile({
    file,
    checked,
    edge,
    ledger,
    progress,
    onProgress: (investors) => display.update(investors),
    isInterrupted: stop.isInterrupted,
  });
  display.stop();
  stop.release();
  if (!sent.ok) return fail(sent.error);
  const seconds = Math.round(performance.now() - startedAtMs) / 1000;
  const { resumedAfterLine } = sent.value;
  if (job.json) printJson(result(checked, checked.investors, resumedAfterLine));
  else {
    const resumed = resumedAfterLine > 0 ? `, gone on after line ${resumedAfterLine}` : '';
    const skipped = checked.badLineCount > 0 ? `, ${checked.badLineCount} bad lines left out` : '';
    printLine(`${checked.investors} investors imported in ${seconds} s${resumed}${skipped}`);
  }
  return EXIT.done;
}

function result(checked: CheckedFile, imported: number, resumedAfterLine: number): Record<string, unknown> {
  const { investors, badLineCount, badLines } = checked;
  return { imported, investors, badLineCount, badLines, resumedAfterLine };
}

function reportBadLines(checked: CheckedFile, { skipBad }: Job): void {
  const { badLineCount, badLines } = checked;
  for (const { line, problem } of badLines) process.stderr.write(`line ${line}: ${problem}\n`);
  const rest = badLineCount - badLines.length;
  if (rest > 0) process.stderr.write(`… and ${rest} more\n`);
  const what = badLineCount === 1 ? '1 bad line' : `${badLineCount} bad lines`;
  const then = skipBad ? 'left out' : 'nothing is imported (mend the file, or give --skip-bad)';
  process.stderr.write(`openbell: ${what}: ${then}\n`);
}

/** The first SIGINT or SIGTERM lets the chunk in work finish; the next one ends the process as usual. */
function onInterrupt(): { isInterrupted(): boolean; release(): void } {
  let interrupted = false;
  const note = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', note);
  process.once('SIGTERM', note);
  const release = (): void => {
    process.off('SIGINT', note);
    process.off('SIGTERM', note);
  };
  return { isInterrupted: () => interrupted, release };
}
