// What the rows of a store show of a journal that is gone: how far they go without a hole, what lies behind the first
// hole, and what must have been there.
//
// That something is missing is known from four sides. The watermark says how far the journal was durable and promised. A
// newer epoch began at a sequence: everything before that was there. A row behind a hole shows that the hole was a row;
// at acknowledgement `journal` it had been promised. At `replicated` nothing behind the first hole had been promised to
// anybody, because replies wait for everything before them: it is what was on its way.

import type { EpochBook } from '../core/epochs.js';
import type { RoundTotals } from '../workers/journal-audit.js';

export interface FoundRows {
  /** The last sequence of the rows that follow each other from 1 on; 0: none do. */
  readonly end: number;
  /** Rows behind the first hole that would count: how many, the first and the last sequence; null: none. */
  readonly beyond: { readonly count: number; readonly first: number; readonly last: number } | null;
  /** The last one that was promised at level `journal`; 0: none was. */
  readonly promisedBeyond: number;
  /** Why the row at `end + 1` cannot be read, where it is there. */
  readonly damage: string | null;
}

/** The part of a watermark that counts here. */
export interface KnownMark {
  /** Of the owner that wrote it. */
  readonly epoch: number;
  readonly journalId: string;
  readonly sequence: number;
  readonly rounds: readonly { readonly id: string; readonly admitted: number; readonly count: number }[];
}

export interface MissingRows {
  readonly from: number;
  readonly to: number;
  /** One line each: what says so, and what it comes to. */
  readonly because: readonly string[];
}

/**
 * What is missing for certain; null when nothing is.
 * @param totals what the rows up to `end` come to
 */
export function missingRows(
  found: FoundRows,
  book: EpochBook,
  mark: KnownMark | null,
  totals: () => readonly RoundTotals[],
): MissingRows | null {
  const { end, beyond, promisedBeyond, damage } = found;
  const because: string[] = [];
  let to = end;
  const known = (sequence: number, why: string): void => {
    if (sequence <= end) return;
    because.push(why);
    to = Math.max(to, sequence);
  };
  const marked = markedSequence(book, mark);
  known(marked, `the watermark says that sequence ${marked} of journal ${mark?.journalId} was durable`);
  known(
    book.begunAt - 1,
    `epoch ${book.newest?.epoch} is on record as having begun at sequence ${book.begunAt}`,
  );
  known(promisedBeyond, `there are rows up to sequence ${promisedBeyond} that had been acknowledged`);
  if (to === end) return null;
  if (damage !== null) because.push(`the row ${end + 1} cannot be read: ${damage}`);
  if (beyond !== null) {
    because.push(
      `of what lies behind, ${beyond.count} rows from ${beyond.first} to ${beyond.last} are there`,
    );
  }
  if (mark !== null && marked > end) because.push(...sums(mark, totals()));
  return { from: end + 1, to, because };
}

/**
 * The watermark in sequences that count: of an earlier journal only what its successor has taken over, unless that
 * journal has gone on since, while the store was away.
 */
function markedSequence(book: EpochBook, mark: KnownMark | null): number {
  if (mark === null) return 0;
  const lineage = book.lineage(Number.POSITIVE_INFINITY) ?? [];
  const at = lineage.findIndex(({ journalId }) => journalId === mark.journalId);
  const successor = at < 0 ? undefined : lineage[at + 1];
  if (successor === undefined) return mark.sequence;
  const isPassed = mark.epoch < (book.at(successor.firstSequence)?.epoch ?? 0);
  return isPassed ? Math.min(mark.sequence, successor.firstSequence - 1) : mark.sequence;
}

/** What the rounds came to, by the watermark and by the rows. */
function sums(mark: KnownMark, totals: readonly RoundTotals[]): string[] {
  return mark.rounds.flatMap(({ id, admitted, count }) => {
    const rows = totals.find((round) => round.id === id);
    if (rows?.admitted === admitted && rows.investors === count) return [];
    return `round ${id}: the watermark has ${admitted} admitted in ${count} investments, the rows ${rows?.admitted ?? 0} in ${rows?.investors ?? 0}`;
  });
}
