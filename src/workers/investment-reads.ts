// Reading investments: the index below its mark, and the shard's recent rows on top. Applying a row twice changes
// nothing, so it does not matter where exactly the two overlap.

import type { InvestmentOutcome } from '../core/investment-view.js';
import { LIST_ITEMS_MAX } from '../core/limits.js';
import type { OutcomeRow, VerdictRow } from '../core/rows.js';
import type { IndexReader } from './index-db.js';
import type { IndexedRow } from './index-records.js';
import type { InvestorState } from './investor-cache.js';

/** A verdict and what has become of it. */
export interface StoredInvestment {
  readonly row: VerdictRow;
  readonly outcome: InvestmentOutcome | null;
}

function outcomeOf(row: OutcomeRow): InvestmentOutcome {
  return { state: row.state, reason: row.reason, at: row.at };
}

function storedOf(row: IndexedRow): StoredInvestment {
  const { state, reason, outcomeAt } = row;
  const over = (state === 'settled' || state === 'declined') && outcomeAt !== null;
  return { row, outcome: over ? { state, reason, at: outcomeAt } : null };
}

/** The investment with this sequence, of this investor in this round; null when there is none. */
export function readInvestment(
  index: IndexReader,
  state: InvestorState,
  round: number,
  investor: string,
  sequence: number,
): StoredInvestment | null {
  let row: VerdictRow | null = null;
  let outcome: InvestmentOutcome | null = null;
  for (const recent of state.recent) {
    if (recent.round !== round) continue;
    if (recent.kind === 'verdict' && recent.sequence === sequence) row = recent;
    if (recent.kind === 'outcome' && recent.investment === sequence) outcome = outcomeOf(recent);
  }
  if (row === null) {
    const indexed = index.getRow(round, investor, sequence);
    if (indexed === undefined) return null;
    const stored = storedOf(indexed);
    return { row: stored.row, outcome: outcome ?? stored.outcome };
  }
  return { row, outcome };
}

/**
 * The investor's investments in this round, newest first, rejected ones too; at most LIST_ITEMS_MAX. The live one is
 * always among them, in the last place if it is older than the others.
 */
export function listInvestments(
  index: IndexReader,
  state: InvestorState,
  round: number,
  investor: string,
): StoredInvestment[] {
  const found = new Map<number, StoredInvestment>();
  for (const row of index.listRows(round, investor, LIST_ITEMS_MAX)) found.set(row.sequence, storedOf(row));
  for (const recent of state.recent) {
    if (recent.round !== round) continue;
    if (recent.kind === 'verdict') {
      found.set(recent.sequence, { row: recent, outcome: found.get(recent.sequence)?.outcome ?? null });
    } else {
      const about = found.get(recent.investment);
      if (about !== undefined) found.set(recent.investment, { row: about.row, outcome: outcomeOf(recent) });
    }
  }
  const newest = [...found.values()].sort((a, b) => b.row.sequence - a.row.sequence).slice(0, LIST_ITEMS_MAX);
  const position = state.position(round);
  const live = position?.liveRow?.sequence ?? position?.liveSequence ?? 0;
  if (live !== 0 && !newest.some(({ row }) => row.sequence === live)) {
    const stored = readInvestment(index, state, round, investor, live);
    if (stored !== null) newest[LIST_ITEMS_MAX - 1] = stored;
  }
  return newest;
}

/** The verdict that this key has already in this round; null when it is new. */
export function earlierVerdict(
  index: IndexReader,
  state: InvestorState,
  round: number,
  investor: string,
  key: string,
): VerdictRow | null {
  const position = state.position(round);
  if (position === undefined) return null;
  let recentVerdicts = 0;
  for (const row of state.recent) {
    if (row.kind !== 'verdict' || row.round !== round) continue;
    if (row.key === key) return row;
    recentVerdicts++;
  }
  // All verdicts of the round are in memory: the index cannot know one more.
  if (recentVerdicts >= position.attempts) return null;
  const sequence = index.getSequenceByKey(round, investor, key);
  return sequence === 0 ? null : (index.getRow(round, investor, sequence) ?? null);
}
