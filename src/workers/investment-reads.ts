// Reading investments: the index below its mark, and the shard's recent rows on top. Applying a row twice changes
// nothing, so it does not matter where exactly the two overlap.

import type { InvestmentOutcome } from '../core/investment-view.js';
import { LIST_ITEMS_MAX } from '../core/limits.js';
import type { OutcomeRow, VerdictRow } from '../core/rows.js';
import type { IndexReader } from './index-db.js';
import type { IndexedRow } from './index-records.js';

/** A row of an investor that the index may not hold yet. */
export type RecentRow = VerdictRow | OutcomeRow;

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

/**
 * The investment with this sequence, of this investor in this round; null when there is none.
 * @param recent the investor's rows that the index does not hold yet, oldest first
 */
export function readInvestment(
  index: IndexReader,
  recent: readonly RecentRow[],
  round: number,
  investor: string,
  sequence: number,
): StoredInvestment | null {
  let row: VerdictRow | null = null;
  let outcome: InvestmentOutcome | null = null;
  for (const each of recent) {
    if (each.round !== round) continue;
    if (each.kind === 'verdict' && each.sequence === sequence) row = each;
    if (each.kind === 'outcome' && each.investment === sequence) outcome = outcomeOf(each);
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
 * @param recent the investor's rows that the index does not hold yet, oldest first
 */
export function listInvestments(
  index: IndexReader,
  recent: readonly RecentRow[],
  round: number,
  investor: string,
): StoredInvestment[] {
  const found = new Map<number, StoredInvestment>();
  for (const row of index.listRows(round, investor, LIST_ITEMS_MAX)) found.set(row.sequence, storedOf(row));
  let live = index.getInvestor(investor)?.rounds.find((part) => part.round === round)?.live ?? 0;
  for (const each of recent) {
    if (each.round !== round) continue;
    if (each.kind === 'verdict') {
      found.set(each.sequence, { row: each, outcome: found.get(each.sequence)?.outcome ?? null });
      if (each.verdict === 'accepted') live = each.sequence;
    } else {
      const about = found.get(each.investment);
      if (about !== undefined) found.set(each.investment, { row: about.row, outcome: outcomeOf(each) });
      if (each.state === 'declined' && each.investment === live) live = 0;
    }
  }
  const newest = [...found.values()].sort((a, b) => b.row.sequence - a.row.sequence).slice(0, LIST_ITEMS_MAX);
  if (live !== 0 && !newest.some(({ row }) => row.sequence === live)) {
    const stored = readInvestment(index, recent, round, investor, live);
    if (stored !== null) newest[LIST_ITEMS_MAX - 1] = stored;
  }
  return newest;
}
