// What the node says at the end of a run, gathered for the checks: the round, the investments behind the accepted
// answers, the lists of some investors, and the answers to some keys that are asked again.

import { RUSH_CHECK_ALL_MAX, RUSH_CHECK_SAMPLE, RUSH_RESEND_SAMPLE } from '../core/limits.js';
import type { Result } from '../core/result.js';
import type { Address } from './address.js';
import { type Answer, readAnswer } from './answer.js';
import { type AnswerLog, STATE } from './answer-log.js';
import type { HttpCaller } from './http-caller.js';
import { investmentRequest } from './http-lane.js';
import type { Format } from './lane.js';
import type { Plan } from './plan.js';
import { type RoundView, type RushFailure, readRound } from './prepare.js';
import { seededRandom } from './random.js';
import type { TokenBook } from './tokens.js';

/** An investment as reading it shows it. */
export interface InvestmentView {
  readonly id: string;
  readonly amount: number;
  readonly state: string;
  readonly sequence: number;
}

/** An accepted answer and what the node says of it now. */
export interface AcceptedEvidence {
  readonly attempt: number;
  readonly status: number;
  /** Undefined unless the status is 200. */
  readonly view: InvestmentView | undefined;
}

export interface ListEvidence {
  readonly investor: number;
  readonly status: number;
  readonly items: readonly InvestmentView[];
}

export interface ResendEvidence {
  readonly attempt: number;
  readonly answer: Answer;
}

export interface Evidence {
  readonly roundBefore: RoundView;
  /** Read after the last answer and before the investments: a decline in between can only have made it larger. */
  readonly roundAfter: RoundView;
  /** One attempt per accepted key. */
  readonly accepted: readonly number[];
  readonly read: readonly AcceptedEvidence[];
  readonly lists: readonly ListEvidence[];
  readonly resends: readonly ResendEvidence[];
}

export interface EvidenceSource {
  readonly plan: Plan;
  readonly log: AnswerLog;
  readonly tokens: TokenBook;
  readonly caller: HttpCaller;
  readonly address: Address;
  readonly format: Format;
  readonly roundBefore: RoundView;
  progress(done: number, total: number): void;
}

/** The contract lets the round's totals be 100 ms old; this is what makes sure that they are read afresh. */
const STALE_MS = 150;
/** Questions in work at a time: more than the connections, so that none of them waits. */
const QUESTIONS_AT_A_TIME = 256;
const PATIENCE_MS = 30_000;

/** Asks the node. An error only if the round itself cannot be read. */
export async function gatherEvidence(source: EvidenceSource): Promise<Result<Evidence, RushFailure>> {
  const { plan, log, caller, roundBefore } = source;
  await new Promise((resolve) => setTimeout(resolve, STALE_MS));
  const round = await readRound(caller, roundBefore.id);
  if (!round.ok) return round;
  const random = seededRandom(plan.settings.seed + 1);
  const accepted: number[] = [];
  const sticky: number[] = [];
  for (let attempt = 0; attempt < log.size; attempt++) {
    const first = plan.origin(attempt) === attempt ? log.firstSticky(attempt) : -1;
    if (first < 0) continue;
    sticky.push(first);
    if (log.code(first) === 'accepted') accepted.push(first);
  }
  const affordable = accepted.length <= RUSH_CHECK_ALL_MAX;
  const toRead = affordable ? accepted : sample(accepted, RUSH_CHECK_SAMPLE, random);
  const toResend = sample(sticky, RUSH_RESEND_SAMPLE, random);
  const toList = [
    ...new Set(sample(sticky, RUSH_RESEND_SAMPLE, random).map((attempt) => plan.investor(attempt))),
  ];
  const total = toRead.length + toResend.length + toList.length;
  let done = 0;
  const step = (): void => source.progress(++done, total);
  const read = await inParallel(toRead, (attempt) => readAccepted(source, attempt), step);
  const lists = await inParallel(toList, (investor) => readList(source, investor), step);
  const resends = await inParallel(toResend, (attempt) => resend(source, attempt), step);
  return { ok: true, value: { roundBefore, roundAfter: round.value, accepted, read, lists, resends } };
}

async function readAccepted(source: EvidenceSource, attempt: number): Promise<AcceptedEvidence> {
  const { plan, log, tokens, caller, roundBefore } = source;
  const path = `/v1/rounds/${roundBefore.id}/investments/${log.answer(attempt).id}`;
  const reply = await caller.ask(caller.getRequest(path, tokens.token(plan.investor(attempt))), PATIENCE_MS);
  return { attempt, status: reply.status, view: reply.status === 200 ? viewOf(reply.body) : undefined };
}

async function readList(source: EvidenceSource, investor: number): Promise<ListEvidence> {
  const { tokens, caller, roundBefore } = source;
  const path = `/v1/rounds/${roundBefore.id}/investments`;
  const reply = await caller.ask(caller.getRequest(path, tokens.token(investor)), PATIENCE_MS);
  const body = reply.body as { readonly investments?: unknown } | undefined;
  const items = Array.isArray(body) ? body : body?.investments;
  return { investor, status: reply.status, items: Array.isArray(items) ? items.map(viewOf) : [] };
}

async function resend(source: EvidenceSource, attempt: number): Promise<ResendEvidence> {
  const { plan, tokens, caller, roundBefore, format } = source;
  const investment = {
    token: tokens.token(plan.investor(attempt)),
    key: plan.key(attempt),
    amount: plan.amount(attempt),
  };
  const options = { round: roundBefore.id, currency: roundBefore.currency, format };
  const reply = await caller.ask(investmentRequest(source.address, options, investment), PATIENCE_MS);
  return { attempt, answer: readAnswer(reply.status, reply.replayed, reply.body) };
}

function viewOf(body: unknown): InvestmentView {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const number = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN);
  return {
    id: typeof fields['id'] === 'string' ? fields['id'] : '',
    amount: number(fields['amount']),
    state: typeof fields['state'] === 'string' ? fields['state'] : '',
    sequence: number(fields['sequence']),
  };
}

/** At most `count` of them, drawn without repetition. */
function sample<T>(items: readonly T[], count: number, random: () => number): T[] {
  const pool = [...items];
  const wanted = Math.min(count, pool.length);
  for (let i = 0; i < wanted; i++) {
    const j = i + Math.floor(random() * (pool.length - i));
    [pool[i], pool[j]] = [pool[j] as T, pool[i] as T];
  }
  return pool.slice(0, wanted);
}

async function inParallel<T, R>(
  items: readonly T[],
  ask: (item: T) => Promise<R>,
  step: () => void,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await ask(items[index] as T);
      step();
    }
  };
  await Promise.all(Array.from({ length: Math.min(QUESTIONS_AT_A_TIME, items.length) }, worker));
  return results;
}

/** Attempts of these investors that were sent at all, counted by key. */
export function keysByInvestor(
  plan: Plan,
  log: AnswerLog,
  investors: ReadonlySet<number>,
): Map<number, number> {
  const keys = new Map<number, number>();
  for (let attempt = 0; attempt < log.size; attempt++) {
    const investor = plan.investor(attempt);
    if (plan.origin(attempt) !== attempt || !investors.has(investor) || log.state(attempt) === STATE.waiting)
      continue;
    keys.set(investor, (keys.get(investor) ?? 0) + 1);
  }
  return keys;
}
