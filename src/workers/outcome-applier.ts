// Outcomes from the ledger, on their way into the journal: each investment gets exactly one, whatever is repeated,
// reordered or an hour late. A decline gives its room back when its row is durable, not before.

import type { Counters } from '../core/counters.js';
import type { InvestmentIds } from '../core/ids.js';
import { investmentObject } from '../core/investment-view.js';
import { InvestorName } from '../core/investor.js';
import type { OutcomeMessage } from '../core/messages.js';
import type { RoundDefinition } from '../core/round.js';
import type { OutcomeRow, VerdictRow } from '../core/rows.js';
import type { IndexReader } from './index-db.js';
import { readInvestment } from './investment-reads.js';
import type { JournalWriter } from './journal-writer.js';
import type { OutcomeApplied } from './protocol.js';
import type { RecentRows } from './recent-rows.js';

interface Drafted {
  readonly draft: OutcomeRow;
  readonly accepted: VerdictRow;
  readonly round: RoundDefinition;
}

interface OutcomeModules {
  readonly counters: Counters;
  readonly index: IndexReader;
  readonly writer: JournalWriter;
  readonly rows: RecentRows;
  readonly ids: InvestmentIds;
  readonly roundById: (id: string) => RoundDefinition | undefined;
}

const name = new InvestorName();

/**
 * Journals the outcomes that are new, applies them, and says of each what became of it. The rows must have let go of
 * what the index's snapshot holds (Standing.begin).
 * @throws JournalFailed when the commit failed
 */
export function applyOutcomes(
  outcomes: readonly OutcomeMessage[],
  modules: OutcomeModules,
  nowMs: number,
): readonly OutcomeApplied[] {
  const { rows, writer } = modules;
  rows.open();
  const drafted = new Map<string, Drafted>();
  const results = outcomes.map((outcome): OutcomeApplied['result'] => {
    const earlier = drafted.get(outcome.id);
    if (earlier !== undefined) return earlier.draft.state === outcome.state ? 'duplicate' : 'conflict';
    const found = draftOf(outcome, modules, nowMs);
    if (typeof found === 'string') return found;
    rows.addOutcome(found.draft, name.hash);
    drafted.set(outcome.id, found);
    return 'applied';
  });
  if (drafted.size > 0) {
    rows.committed(writer.append(rows.frame, nowMs));
    for (const each of drafted.values()) apply(each, modules.counters);
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
  const { rows, index, ids, roundById } = modules;
  const sequence = ids.sequenceOf(outcome.id);
  const round = roundById(outcome.round);
  if (sequence === 0 || round === undefined || !name.takeText(outcome.investor)) return 'unknown';
  const stored = readInvestment(index, rows.rowsOf(name), round.number, outcome.investor, sequence);
  if (stored === null || stored.row.verdict !== 'accepted') return 'unknown';
  if (stored.outcome !== null) return stored.outcome.state === outcome.state ? 'duplicate' : 'conflict';
  if (stored.row.amount !== outcome.amount) return 'conflict';
  const draft: OutcomeRow = {
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
  return { draft, accepted: stored.row, round };
}

/** The row is durable: the sums follow it. */
function apply({ draft, round }: Drafted, counters: Counters): void {
  if (draft.state === 'settled') {
    counters.addSettled(round.number, draft.amount);
    return;
  }
  counters.addDeclined(round.number, draft.amount);
  counters.addInvestors(round.number, -1);
  counters.addRoom(round.number, draft.amount);
}
