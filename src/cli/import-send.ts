// The second pass of an import: sends the good lines in chunks, to the ledger's accounts and then to the edge's cache.
// A chunk counts as done when both have acknowledged it. While the edge takes one chunk the ledger takes the next.

import type { FileHandle } from 'node:fs/promises';
import { EXIT } from '../core/exit-codes.js';
import { IMPORT_CHUNK_LINES, IMPORT_RETRIES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { AdminBody, AdminClient, CallFailure } from './admin-client.js';
import { errorText, type Failure } from './failure.js';
import type { CheckedFile } from './import-check.js';
import { readLineGroups } from './import-lines.js';
import type { ImportProgress } from './import-progress.js';

export interface SendOptions {
  readonly file: FileHandle;
  readonly checked: CheckedFile;
  /** Absent with --edge-only. */
  readonly ledger: AdminClient | null;
  readonly edge: AdminClient;
  readonly progress: ImportProgress;
  /** Hears how many investors are done, those of an earlier run included. */
  readonly onProgress: (investors: number) => void;
  /** True once the operator wants it to stop: the chunk in work is finished first. */
  readonly isInterrupted: () => boolean;
  /** Waits between two tries. */
  readonly pause?: (ms: number) => Promise<void>;
}

interface Chunk {
  readonly lastLine: number;
  readonly investors: number;
  readonly body: AdminBody;
}

const PAUSE_MS = 500;
const GO_ON = 'run the same command again to go on where it stopped';
const CONTENT_TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const;

/** Sends what has not been acknowledged yet. A failure says how to go on. */
export async function sendFile(
  options: SendOptions,
): Promise<Result<{ readonly resumedAfterLine: number }, Failure>> {
  const { file, checked, ledger, progress } = options;
  const resumedAfterLine = progress.acknowledgedLine();
  const before = await file.stat();
  let done = 0;
  let inEdge: Promise<Result<null, Failure>> = Promise.resolve(ok(null));
  for await (const chunk of chunks(file, checked)) {
    done += chunk.investors;
    if (chunk.lastLine <= resumedAfterLine) {
      options.onProgress(done);
      continue;
    }
    const now = await file.stat();
    const isSame = now.size === before.size && now.mtimeMs === before.mtimeMs;
    const inLedger = !isSame
      ? err(stopped('the file changed while it was imported'))
      : options.isInterrupted()
        ? err(stopped('interrupted'))
        : ledger === null
          ? ok(null)
          : await send(ledger, '/admin/v1/accounts', chunk, options);
    const previous = await inEdge;
    if (!previous.ok) return previous;
    if (!inLedger.ok) return inLedger;
    inEdge = sendToEdge(chunk, done, options);
  }
  const last = await inEdge;
  if (!last.ok) return last;
  progress.clear();
  return ok({ resumedAfterLine });
}

async function sendToEdge(chunk: Chunk, done: number, options: SendOptions): Promise<Result<null, Failure>> {
  const sent = await send(options.edge, '/admin/v1/investors', chunk, options);
  if (!sent.ok) return sent;
  try {
    options.progress.acknowledge(chunk.lastLine);
  } catch (error) {
    return err(stopped(`the progress file cannot be written: ${errorText(error)}`));
  }
  options.onProgress(done);
  return sent;
}

/** One chunk to one service; tried again, with growing pauses, while the service is away or busy. */
async function send(
  client: AdminClient,
  path: string,
  chunk: Chunk,
  { pause = sleep, isInterrupted }: SendOptions,
): Promise<Result<null, Failure>> {
  let answer = await client.call('POST', path, chunk.body);
  for (let tries = 0; tries < IMPORT_RETRIES_MAX && !answer.ok && isPassing(answer.error); tries++) {
    if (isInterrupted()) break;
    await pause(PAUSE_MS * 2 ** tries);
    answer = await client.call('POST', path, chunk.body);
  }
  if (answer.ok) return ok(null);
  const { message, exitCode } = answer.error;
  const then = isPassing(answer.error) ? `; ${GO_ON}` : ` (lines up to ${chunk.lastLine})`;
  return err({ message: `${message}${then}`, exitCode });
}

/** Whether the same request may succeed later: nobody there, or too busy. */
const isPassing = ({ status }: CallFailure): boolean => status === null || status === 503 || status === 429;

function stopped(reason: string): Failure {
  return { message: `${reason}; ${GO_ON}`, exitCode: EXIT.tryAgain };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function* chunks(file: FileHandle, checked: CheckedFile): AsyncGenerator<Chunk> {
  const type = CONTENT_TYPES[checked.format];
  let lines: string[] = [];
  let number = 0;
  for await (const group of readLineGroups(file)) {
    for (const line of group) {
      number++;
      if (checked.notSent.has(number)) continue;
      lines.push(line);
      if (lines.length < IMPORT_CHUNK_LINES) continue;
      yield { lastLine: number, investors: lines.length, body: { type, data: lines.join('\n') } };
      lines = [];
    }
  }
  if (lines.length > 0)
    yield { lastLine: number, investors: lines.length, body: { type, data: lines.join('\n') } };
}
