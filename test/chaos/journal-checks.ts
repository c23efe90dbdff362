// The journal, row by row, against what the clients of the chaos tests saw and what the caps were.

import type { VerdictRow } from '../../src/core/rows.js';
import type { JournalCensus } from '../engines/census.js';
import type { VerdictBook } from './verdict-book.js';

/** Room of a decline is given back behind its row: a refusal so many rows later may not have known of it yet. */
const RELEASE_SLACK_ROWS = 4_096;

/** Every verdict that a client saw is a row as it was told (I2), and there is one row for each key (I3). */
export function bookProblems(book: VerdictBook, { verdicts, rounds }: JournalCensus): string[] {
  const problems: string[] = [];
  const byKey = new Map<string, VerdictRow>();
  for (const row of verdicts.values()) {
    const name = `${rounds.get(row.round)} ${row.investor} ${row.key}`;
    if (byKey.has(name)) problems.push(`I3: two verdicts for ${name}`);
    byKey.set(name, row);
  }
  for (const { round, investor, key, amount, verdict } of book.entries) {
    const name = `${round} ${investor} ${key}`;
    const row = byKey.get(name);
    byKey.delete(name);
    if (verdict === undefined) continue;
    const told = `${verdict.code} of ${amount}`;
    if (row === undefined) problems.push(`I2: ${name} was told ${told}, and has no row`);
    else if (row.verdict !== verdict.code || row.amount !== amount)
      problems.push(`I3: ${name} was told ${told}, its row says ${row.verdict} of ${row.amount}`);
    else if (verdict.code === 'accepted' && sequenceOf(verdict.id) !== row.sequence)
      problems.push(`I2: ${name} was told ${verdict.id}, its row is ${row.sequence}`);
  }
  for (const name of byKey.keys()) problems.push(`there is a verdict for ${name}, which nobody asked for`);
  return problems;
}

/** An id ends with the sequence of its row, in base 36. */
function sequenceOf(id: string | undefined): number {
  return Number.parseInt(id?.slice(id.lastIndexOf('-') + 1) ?? '', 36);
}

/**
 * Room that is left while somebody was refused for less (I12). What declines have given back since the refusal, or just
 * before it, is no such room.
 */
export function undersellProblems(
  { verdicts, outcomes, rounds }: JournalCensus,
  caps: ReadonlyMap<string, number>,
): string[] {
  const problems: string[] = [];
  for (const [number, round] of rounds) {
    const rows = [...verdicts.values()].filter((row) => row.round === number);
    const declines = [...outcomes.values()]
      .filter((row) => row.round === number && row.state === 'declined')
      .sort((a, b) => b.sequence - a.sequence);
    const sum = (amounts: readonly { readonly amount: number }[]): number =>
      amounts.reduce((total, { amount }) => total + amount, 0);
    const accepted = rows.filter(({ verdict }) => verdict === 'accepted');
    const remaining = (caps.get(round) ?? Number.NaN) - sum(accepted) + sum(declines);
    // From the last refusal back to the first, with the declines behind each.
    let released = 0;
    let at = 0;
    const refused = rows.filter(({ verdict }) => verdict === 'round-full');
    for (const { sequence, amount } of refused.sort((a, b) => b.sequence - a.sequence)) {
      for (; at < declines.length && declines[at]!.sequence > sequence - RELEASE_SLACK_ROWS; at++)
        released += declines[at]!.amount;
      if (remaining - released < amount) continue;
      problems.push(
        `I12: ${round} has room for ${remaining}, ${released} of it released since, yet ${amount} was refused at ${sequence}`,
      );
    }
  }
  return problems;
}
