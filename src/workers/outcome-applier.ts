// Outcomes from the ledger, on their way into the journal: each investment gets exactly one, whatever is repeated,
// reordered or an hour late. A decline gives its room back when its row is durable, not before.

import type { Counters } from '../core/counters.js';
import type { InvestmentIds } from '../core/ids.js';
import { investmentObject } from '../core/investment-view.js';
import type { OutcomeMessage } from '../core/messages.js';
import { packCurrency } from '../core/request-reader.js';
import type { RoundDefinition } from '../core/round.js';
import type { OutcomeRow, VerdictRow } from '../core/rows.js';
import type { IndexReader } from './index-db.js';
import { readInvestment } from './investment-reads.js';
import type { InvestorCache, InvestorState } from './investor-cache.js';
import type { FrameBuilder } from './journal-frame.js';
import type { JournalWriter } from './journal-writer.js';
import type { OutcomeApplied } from './protocol.js';

type DraftOutcome = { -readonly [K in keyof OutcomeRow]: OutcomeRow[K] };

interface Drafted {
  readonly draft: DraftOutcome;
  readonly accepted: VerdictRow;
  readonly round: RoundDefinition;
  readonly state: InvestorState;
}

interface OutcomeModules {
  readonly counters: Counters;
  readonly index: IndexReader;
  readonly writer: JournalWriter;
  readonly frame: FrameBuilder;
  readonly investors: InvestorCache;
  readonly ids: InvestmentIds;
  readonly roundById: (id: string) => RoundDefinition | undefined;
}

/**
 * Journals the outcomes that are new, applies them, and says of each what became of it.
 * @throws JournalFailed when the commit failed
 */
export function applyOutcomes(
  outcomes: readonly OutcomeMessage[],
  modules: OutcomeModules,
  nowMs: number,
): readonly OutcomeApplied[] {
  const { frame, writer } = modules;
  frame.reset();
  const drafted = new Map<string, Drafted>();
  const results = outcomes.map((outcome): OutcomeApplied['result'] => {
    const earlier = drafted.get(outcome.id);
    if (earlier !== undefined) return earlier.draft.state === outcome.state ? 'duplicate' : 'conflict';
    const found = draftOf(outcome, modules, nowMs);
    if (typeof found === 'string') return found;
    frame.add(found.draft);
    drafted.set(outcome.id, found);
    return 'applied';
  });
  if (drafted.size > 0) {
    let sequence = writer.append(frame, nowMs);
    for (const each of drafted.values()) {
      each.draft.sequence = sequence++;
      apply(each, modules.counters);
    }
  }
  return outcomes.map(({ id }, at): OutcomeApplied => {
    const result = results[at] ?? 'unknown';
    const each = drafted.get(id);
    if (result !== 'applied' || each === undefined) return { result, investment: null };
    const { draft, accepted, round } = each;
    const outcome = { state: draft.state, reason: draft.reason, at: draft.at };
    return { result, investment: investmentObject(modules.ids, round, accepted, outcome) };
  });
}

function draftOf(
  outcome: OutcomeMessage,
  modules: OutcomeModules,
  nowMs: number,
): Drafted | 'unknown' | 'duplicate' | 'conflict' {
  const { investors, index, ids, roundById } = modules;
  const sequence = ids.sequenceOf(outcome.id);
  const round = roundById(outcome.round);
  if (sequence === 0 || round === undefined) return 'unknown';
  const state = investors.get(outcome.investor);
  const stored = readInvestment(index, state, round.number, outcome.investor, sequence);
  if (stored === null || stored.row.verdict !== 'accepted') return 'unknown';
  if (stored.outcome !== null) return stored.outcome.state === outcome.state ? 'duplicate' : 'conflict';
  if (stored.row.amount !== outcome.amount) return 'conflict';
  const draft: DraftOutcome = {
    kind: 'outcome',
    sequence: 0,
    at: nowMs,
    round: round.number,
    investor: outcome.investor,
    investment: sequence,
    amount: outcome.amount,
    state: outcome.state,
    reason: outcome.state === 'declined' ? (outcome.reason ?? 'not-eligible') : null,
    balance: outcome.balance,
    balanceVersion: outcome.balanceVersion,
    eligible: outcome.eligible,
  };
  return { draft, accepted: stored.row, round, state };
}

/** The row is durable: hold, balance and room follow it. */
function apply({ draft, round, state }: Drafted, counters: Counters): void {
  state.remember(draft);
  const position = state.position(round.number);
  const settled = draft.state === 'settled';
  const liveSequence = position?.liveRow?.sequence ?? position?.liveSequence;
  if (position !== undefined && liveSequence === draft.investment) {
    if (settled) position.settled = true;
    else {
      position.liveSequence = 0;
      position.liveRow = null;
      position.liveAmount = 0;
    }
  }
  // A decline makes no entry, so its version may be one that is known: it still tells better than an import.
  if (draft.balanceVersion > 0 && draft.balanceVersion >= state.balanceVersion) {
    // As the index does: the account is of the round's currency, unless an import has told better.
    if (!state.known) state.currency = packCurrency(round.currency);
    state.known = true;
    state.balance = draft.balance;
    state.balanceVersion = draft.balanceVersion;
    state.eligible = draft.eligible;
  }
  if (settled) counters.addSettled(round.number, draft.amount);
  else {
    counters.addDeclined(round.number, draft.amount);
    counters.addInvestors(round.number, -1);
    counters.addRoom(round.number, draft.amount);
  }
}
