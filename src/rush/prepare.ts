// What must be there before the first attempt: the round, and investors with accounts and balances.

import { EXIT, type ExitCode } from '../core/exit-codes.js';
import { RUSH_IMPORT_LINES_PER_REQUEST } from '../core/limits.js';
import { AMOUNT_MINOR_MAX } from '../core/money.js';
import { err, ok, type Result } from '../core/result.js';
import type { HttpCaller } from './http-caller.js';
import { investorName, type Plan } from './plan.js';

/** Why a run could not be made, and the exit code that says so. */
export interface RushFailure {
  readonly exitCode: ExitCode;
  readonly message: string;
}

/** A round as the public port shows it; amounts in minor units. */
export interface RoundView {
  readonly id: string;
  readonly currency: string;
  readonly cap: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly state: string;
  readonly admitted: number;
  readonly remaining: number;
  readonly sequence: number;
}

const ROUND_PATIENCE_MS = 2_000;
const IMPORT_TRIES_MAX = 6;
const IMPORT_TIMEOUT_MS = 60_000;
const IMPORT_PAUSE_MS = 500;

export function failure(
  exitCode: ExitCode,
  message: string,
): { readonly ok: false; readonly error: RushFailure } {
  return err({ exitCode, message });
}

/** Reads a round; without an id, the only open one. */
export async function readRound(
  caller: HttpCaller,
  id: string | undefined,
): Promise<Result<RoundView, RushFailure>> {
  const path = id === undefined ? '/v1/rounds' : `/v1/rounds/${id}`;
  const reply = await caller.ask(caller.getRequest(path), ROUND_PATIENCE_MS);
  if (reply.status === 0) return failure(EXIT.unavailable, `the node cannot be reached: ${reply.reason}`);
  if (reply.status === 404) return failure(EXIT.checkFailed, `there is no round ${id}`);
  if (reply.status !== 200) return failure(EXIT.tryAgain, `the node answers ${reply.status} for ${path}`);
  if (id !== undefined) return ok(reply.body as RoundView);
  const body = reply.body as { readonly rounds?: readonly RoundView[] } | readonly RoundView[];
  const open = ('rounds' in body ? (body.rounds ?? []) : (body as readonly RoundView[])).filter(
    (round) => round.state === 'open',
  );
  const [only] = open;
  if (open.length === 1 && only !== undefined) return ok(only);
  return failure(EXIT.usage, `${open.length} rounds are open: say which with --round`);
}

export interface ImportTarget {
  readonly name: string;
  /** The bulk endpoint. */
  readonly url: string;
}

/** Gives every investor of the plan an account and a balance at each target, in bulk. Done twice it changes nothing. */
export async function importInvestors(
  plan: Plan,
  round: RoundView,
  targets: readonly ImportTarget[],
  adminToken: string,
  progress: (done: number) => void,
): Promise<Result<null, RushFailure>> {
  const { investors } = plan.settings;
  const poor = Math.max(0, Math.min(plan.settings.amountMin, round.minimum) - 1);
  const rich = Math.min(AMOUNT_MINOR_MAX, Math.max(plan.settings.amountMax, round.maximum) * 10);
  for (let first = 0; first < investors; first += RUSH_IMPORT_LINES_PER_REQUEST) {
    const last = Math.min(investors, first + RUSH_IMPORT_LINES_PER_REQUEST);
    let text = '';
    for (let index = first; index < last; index++) {
      const balance = plan.isPoor(index) ? poor : rich;
      text += `{"investor":"${investorName(index)}","balance":${balance},"currency":"${round.currency}","eligible":true}\n`;
    }
    for (const target of targets) {
      const sent = await sendLines(target, text, adminToken);
      if (!sent.ok) return sent;
    }
    progress(last);
  }
  return ok(null);
}

async function sendLines(
  target: ImportTarget,
  body: string,
  adminToken: string,
): Promise<Result<null, RushFailure>> {
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/x-ndjson' };
  let last = '';
  let reached = false;
  for (let tries = 0; tries < IMPORT_TRIES_MAX; tries++) {
    if (tries > 0) await new Promise((resolve) => setTimeout(resolve, IMPORT_PAUSE_MS));
    try {
      const signal = AbortSignal.timeout(IMPORT_TIMEOUT_MS);
      const answer = await fetch(target.url, { method: 'POST', headers, body, signal });
      last = `${answer.status} ${(await answer.text()).slice(0, 300)}`;
      reached = true;
      if (answer.ok) return ok(null);
      if (answer.status === 401 || answer.status === 403) {
        return failure(EXIT.config, `${target.name} does not take the local secret's admin token: ${last}`);
      }
      if (answer.status < 500 && answer.status !== 429)
        return failure(EXIT.internal, `${target.name}: ${last}`);
    } catch (error) {
      const { cause, message } = error as Error;
      last = cause instanceof Error ? `${message}: ${cause.message}` : message;
    }
  }
  const exitCode = reached ? EXIT.tryAgain : EXIT.unavailable;
  return failure(exitCode, `${target.name} at ${target.url} did not take the investors: ${last}`);
}
