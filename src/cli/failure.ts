// How a command says that it could not do what was asked: one line on stderr and an exit code, never a stack trace.

import type { ExitCode } from '../core/exit-codes.js';

export interface Failure {
  /** One sentence: what is wrong and, where it is not plain, what to do. */
  readonly message: string;
  readonly exitCode: ExitCode;
}

/** Prints the failure as one line and returns its exit code. */
export function fail(failure: Failure): ExitCode {
  process.stderr.write(`openbell: ${oneLine(failure.message)}\n`);
  return failure.exitCode;
}

/** The text with its line breaks folded, so that a log or a supervisor keeps it in one piece. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').trim();
}

/** What was thrown, as text. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
