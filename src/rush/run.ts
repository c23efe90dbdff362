// One run from beginning to end: read the round, sign tokens, import investors, send, check, report.

import { EXIT } from '../core/exit-codes.js';
import { RUSH_WS_IN_FLIGHT_CLOSED_LOOP, RUSH_WS_IN_FLIGHT_MAX } from '../core/limits.js';
import type { Result } from '../core/result.js';
import { AnswerLog } from './answer-log.js';
import { writeAnswers } from './answers-file.js';
import { type Check, runChecks } from './checks.js';
import { Dispatcher } from './dispatcher.js';
import { gatherEvidence } from './evidence.js';
import { HttpCaller } from './http-caller.js';
import { HttpLane } from './http-lane.js';
import type { Lane, LaneOptions, Outgoing } from './lane.js';
import type { RushOptions } from './options.js';
import { investorName, Plan } from './plan.js';
import { failure, importInvestors, type RoundView, type RushFailure, readRound } from './prepare.js';
import { makeReport, type RushReport } from './report.js';
import { type Signing, TokenBook } from './tokens.js';
import { WsLane } from './ws-lane.js';

/** What the run has come to; `total` is 0 where there is none. */
export interface RushProgress {
  readonly stage: 'tokens' | 'import' | 'rush' | 'checks';
  readonly done: number;
  readonly total: number;
}

export interface RushContext {
  readonly signing: Signing;
  readonly adminToken: string;
  /** Ends the sending early; what was sent is still checked. */
  readonly signal: AbortSignal;
  progress(progress: RushProgress): void;
}

const CALLER_CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 10_000;
const PROGRESS_INTERVAL_MS = 200;
const TOKENS_PER_TURN = 5_000;

/** Makes the run. An error means that there was nothing to report on. */
export async function runRush(
  options: RushOptions,
  context: RushContext,
): Promise<Result<RushReport, RushFailure>> {
  const caller = new HttpCaller(options.address, CALLER_CONNECTIONS);
  try {
    const round = await readRound(caller, options.round);
    if (!round.ok) return round;
    return await runOnRound(options, context, caller, round.value);
  } finally {
    caller.close();
  }
}

async function runOnRound(
  options: RushOptions,
  context: RushContext,
  caller: HttpCaller,
  round: RoundView,
): Promise<Result<RushReport, RushFailure>> {
  const amountMin = options.amountMin ?? round.minimum;
  const amountMax = options.amountMax ?? round.maximum;
  if (amountMax < amountMin)
    return failure(EXIT.usage, `amounts from ${amountMin} to ${amountMax}: there are none`);
  const plan = new Plan({ ...options, amountMin, amountMax });
  const tokens = new TokenBook(context.signing, investorName);
  await signTokens(tokens, Math.min(options.investors, options.attempts), context);
  if (options.importInvestors) {
    const targets = [
      { name: 'the ledger', url: `${options.ledgerUrl}/admin/v1/accounts` },
      { name: 'the edge', url: `${options.adminUrl}/admin/v1/investors` },
    ];
    const imported = await importInvestors(plan, round, targets, context.adminToken, (done) =>
      context.progress({ stage: 'import', done, total: options.investors }),
    );
    if (!imported.ok) return imported;
  }
  const start = await readRound(caller, round.id);
  if (!start.ok) return start;

  const log = new AnswerLog();
  const durationMs = options.durationS * 1_000;
  const dispatcher = new Dispatcher(plan, log, { ...options, durationMs });
  const outgoing: Outgoing = {
    token: (attempt) => tokens.token(plan.investor(attempt)),
    key: (attempt) => plan.key(attempt),
    amount: (attempt) => plan.amount(attempt),
  };
  const connected = await dispatcher.connect(
    () => makeLanes(options, round, outgoing, dispatcher),
    CONNECT_TIMEOUT_MS,
  );
  if (!connected)
    return failure(
      EXIT.unavailable,
      `no connection to ${options.address.origin} within ${CONNECT_TIMEOUT_MS} ms`,
    );
  const total = options.attempts;
  const timer = setInterval(
    () => context.progress({ stage: 'rush', done: dispatcher.begun, total }),
    PROGRESS_INTERVAL_MS,
  );
  await dispatcher.run(context.signal);
  clearInterval(timer);
  context.progress({ stage: 'rush', done: dispatcher.begun, total: dispatcher.begun });
  if (options.answersFile !== undefined)
    await writeAnswers(options.answersFile, plan, log, dispatcher.times.startMs);

  const evidence = await gatherEvidence({
    ...{
      plan,
      log,
      tokens,
      caller,
      address: options.address,
      format: options.format,
      roundBefore: start.value,
    },
    progress: (done, all) => context.progress({ stage: 'checks', done, total: all }),
  });
  const checks: readonly Check[] = evidence.ok ? runChecks(plan, log, evidence.value) : [];
  if (!evidence.ok) return evidence;
  return { ok: true, value: makeReport(options, round.id, log, dispatcher, checks) };
}

async function signTokens(tokens: TokenBook, count: number, context: RushContext): Promise<void> {
  for (let done = 0; done < count; ) {
    done = Math.min(count, done + TOKENS_PER_TURN);
    tokens.signUpTo(done);
    context.progress({ stage: 'tokens', done, total: count });
    await new Promise(setImmediate);
  }
}

function makeLanes(
  options: RushOptions,
  round: RoundView,
  outgoing: Outgoing,
  dispatcher: Dispatcher,
): Lane[] {
  const inFlightMax = options.rate === 0 ? RUSH_WS_IN_FLIGHT_CLOSED_LOOP : RUSH_WS_IN_FLIGHT_MAX;
  const lane: LaneOptions = {
    round: round.id,
    currency: round.currency,
    format: options.format,
    inFlightMax,
  };
  return Array.from({ length: options.connections }, (_, index) => {
    const ws = options.transport === 'ws' || (options.transport === 'mixed' && index % 2 === 1);
    return ws
      ? new WsLane(options.address, lane, outgoing, dispatcher)
      : new HttpLane(options.address, lane, outgoing, dispatcher);
  });
}
