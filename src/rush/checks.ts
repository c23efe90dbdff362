// The invariants that a client can check: its own log of answers against what the node then says. Pure.

import { describeAnswer, sameVerdict } from './answer.js';
import { type AnswerLog, STATE } from './answer-log.js';
import { type Evidence, keysByInvestor } from './evidence.js';
import type { Plan } from './plan.js';

export interface Check {
  readonly name: 'I1' | 'I2' | 'I3' | 'I4' | 'I11' | 'I12';
  readonly ok: boolean;
  /** What was compared, with figures; for a failure, the first thing that is wrong. */
  readonly detail: string;
}

interface Context {
  readonly plan: Plan;
  readonly log: AnswerLog;
  readonly evidence: Evidence;
}

const LIVE_STATES: ReadonlySet<string> = new Set(['accepted', 'settled']);

/** One line for each invariant. */
export function runChecks(plan: Plan, log: AnswerLog, evidence: Evidence): Check[] {
  const context = { plan, log, evidence };
  return [
    capHeld(context),
    acceptedAreThere(context),
    oneVerdictPerKey(context),
    oneLivePerInvestor(context),
    fullMeantFull(context),
    noUndersell(context),
  ];
}

function verdict(name: Check['name'], problems: readonly string[], held: string): Check {
  const [first] = problems;
  if (first === undefined) return { name, ok: true, detail: held };
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return { name, ok: false, detail: `${first}${more}` };
}

function declinedMinor({ evidence }: Context): number {
  return evidence.read.reduce((sum, { view }) => sum + (view?.state === 'declined' ? view.amount : 0), 0);
}

/** Which part of the accepted answers was read back. */
function coverage({ evidence }: Context): string {
  const [read, all] = [evidence.read.length, evidence.accepted.length];
  return read === all
    ? `all ${all} accepted answers`
    : `${read} of ${all} accepted answers, drawn at random,`;
}

function capHeld(context: Context): Check {
  const { plan, evidence } = context;
  const { cap, admitted } = evidence.roundAfter;
  const seen = evidence.accepted.reduce((sum, attempt) => sum + plan.amount(attempt), 0);
  const declined = declinedMinor(context);
  const problems: string[] = [];
  if (!(admitted <= cap)) problems.push(`the node admitted ${admitted} of a cap of ${cap}`);
  // Without every investment read, the declined ones among the rest are not known and the sums cannot be compared.
  const complete = evidence.read.length === evidence.accepted.length;
  if (complete && !(seen - declined <= admitted)) {
    problems.push(
      `accepted answers add up to ${seen}, declined to ${declined}, but the node admitted ${admitted}`,
    );
  }
  const compared = complete || seen - declined <= admitted;
  const sums = compared
    ? `accepted answers ${seen} less declined ${declined} <= admitted`
    : 'sums not compared: how much of the unread was declined is not known';
  return verdict('I1', problems, `admitted ${admitted} <= cap ${cap}; ${sums}`);
}

function acceptedAreThere(context: Context): Check {
  const { plan, log, evidence } = context;
  const problems = evidence.read.flatMap(({ attempt, status, view }) => {
    const id = log.answer(attempt).id;
    if (view === undefined) return [`accepted ${id} is not there: status ${status}`];
    const known = LIVE_STATES.has(view.state) || view.state === 'declined';
    if (view.id === id && view.amount === plan.amount(attempt) && known) return [];
    return [`accepted ${id} of ${plan.amount(attempt)} reads as ${view.id} of ${view.amount}, ${view.state}`];
  });
  return verdict('I2', problems, `${coverage(context)} are there with their amount`);
}

function oneVerdictPerKey({ plan, log, evidence }: Context): Check {
  const problems = log.contradictions.map(
    ({ first, firstAnswer, secondAnswer }) =>
      `key ${plan.key(first)}: ${describeAnswer(firstAnswer)}, then ${describeAnswer(secondAnswer)}`,
  );
  for (const { attempt, answer } of evidence.resends) {
    const before = log.answer(attempt);
    if (!sameVerdict(before, answer)) {
      problems.push(
        `key ${plan.key(attempt)}: ${describeAnswer(before)}, asked again ${describeAnswer(answer)}`,
      );
    } else if (!answer.replayed) {
      problems.push(`key ${plan.key(attempt)}: asked again, not marked as replayed`);
    }
  }
  const ids = new Map<string | undefined, number>();
  for (const attempt of evidence.accepted) {
    const { id } = log.answer(attempt);
    const other = ids.get(id);
    if (other !== undefined) problems.push(`keys ${plan.key(other)} and ${plan.key(attempt)} share ${id}`);
    ids.set(id, attempt);
  }
  const keys = keysByInvestor(plan, log, new Set(evidence.lists.map((list) => list.investor)));
  for (const { investor, items, status } of evidence.lists) {
    const rows = items.filter((item) => item.sequence > evidence.roundBefore.sequence).length;
    const sent = keys.get(investor) ?? 0;
    if (status !== 200) problems.push(`an investor's list answers ${status}`);
    else if (rows > sent) problems.push(`an investor sent ${sent} keys, the node lists ${rows} verdicts`);
  }
  const { resends, lists } = evidence;
  return verdict(
    'I3',
    problems,
    `no key with two answers; ${resends.length} keys asked again replay theirs; ${lists.length} lists have no more verdicts than keys`,
  );
}

function oneLivePerInvestor(context: Context): Check {
  const { plan, log, evidence } = context;
  const live = new Map<number, string>();
  const problems: string[] = [];
  for (const { attempt, view } of evidence.read) {
    if (view === undefined || !LIVE_STATES.has(view.state)) continue;
    const investor = plan.investor(attempt);
    const other = live.get(investor);
    if (other !== undefined) problems.push(`one investor has ${other} and ${log.answer(attempt).id} live`);
    live.set(investor, view.id);
  }
  for (const { items } of evidence.lists) {
    const [first, second] = items.filter((item) => LIVE_STATES.has(item.state));
    if (second !== undefined) problems.push(`one investor's list has ${first?.id} and ${second.id} live`);
  }
  return verdict(
    'I4',
    problems,
    `${coverage(context)} and ${evidence.lists.length} lists: at most one live each`,
  );
}

function fullMeantFull({ plan, log }: Context): Check {
  const problems: string[] = [];
  let count = 0;
  for (let attempt = 0; attempt < log.size; attempt++) {
    if (log.state(attempt) !== STATE.answered || log.code(attempt) !== 'round-full') continue;
    count++;
    const { remaining } = log.answer(attempt);
    if (!(remaining >= 0 && remaining < plan.amount(attempt))) {
      problems.push(`${plan.amount(attempt)} was refused as round-full with ${remaining} remaining`);
    }
  }
  return verdict(
    'I11',
    problems,
    count === 0
      ? 'none was refused as round-full'
      : `${count} refused as round-full, each with less remaining than it asked for`,
  );
}

function noUndersell(context: Context): Check {
  const { plan, log, evidence } = context;
  let smallest = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < log.size; attempt++) {
    if (log.state(attempt) !== STATE.answered || log.code(attempt) !== 'round-full') continue;
    smallest = Math.min(smallest, plan.amount(attempt));
  }
  if (smallest === Number.POSITIVE_INFINITY)
    return { name: 'I12', ok: true, detail: 'none was refused as round-full' };
  const { cap, admitted } = evidence.roundAfter;
  // Room that came after a refusal: of investments declined since, and of a cap raised during the run.
  const released = declinedMinor(context);
  const raised = cap - evidence.roundBefore.cap;
  const room = cap - admitted;
  const excuse =
    released + raised === 0 ? '' : ` (of which declines gave back ${released}, a raised cap ${raised})`;
  const problems =
    room - released - raised < smallest ? [] : [`${room} left${excuse}, yet ${smallest} was refused`];
  return verdict('I12', problems, `${room} left${excuse} < ${smallest}, the smallest refused as round-full`);
}
