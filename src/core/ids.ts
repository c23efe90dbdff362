// Investment ids: `<journal id>-<sequence in base 36>`. The journal's id keeps investments of two journals apart in a
// ledger that outlives them; the sequence finds the row.
//
// A journal that was built again on another disk has an id of its own, and its sequences go on where the rows that were
// saved end. Its lineage says which journal a sequence was decided in, so that what was saved keeps its ids, and a row
// that only the lost disk had can never share its id with a new one.

import { assert } from './assert.js';

const ID_PATTERN = /^([a-z0-9]{8})-([0-9a-z]{1,11})$/;

/** From `firstSequence` on, up to the next entry, rows were decided in the journal `journalId`. */
export interface LineageEntry {
  readonly journalId: string;
  readonly firstSequence: number;
}

/** By ascending first sequence; the first entry begins at 1, the last is the journal itself. */
export type Lineage = readonly LineageEntry[];

/** The lineage of a journal that was never built again. */
export function ownLineage(journalId: string): Lineage {
  return [{ journalId, firstSequence: 1 }];
}

/** True for what can be a lineage: it begins at 1 and ascends. */
export function isLineage(lineage: Lineage): boolean {
  return (
    lineage[0]?.firstSequence === 1 &&
    lineage.every(
      ({ journalId, firstSequence }, at) =>
        /^[a-z0-9]{8}$/.test(journalId) &&
        Number.isSafeInteger(firstSequence) &&
        (at === 0 || firstSequence > lineage[at - 1]!.firstSequence),
    )
  );
}

export function investmentId(journalId: string, sequence: number): string {
  return `${journalId}-${sequence.toString(36)}`;
}

/** Ids of the rows of one journal, and back. */
export class InvestmentIds {
  readonly #lineage: Lineage;
  readonly #lastId: string;
  readonly #lastFirst: number;

  constructor(lineage: Lineage) {
    assert(isLineage(lineage), 'a lineage begins at 1 and ascends');
    this.#lineage = lineage;
    const last = lineage.at(-1)!;
    this.#lastId = last.journalId;
    this.#lastFirst = last.firstSequence;
  }

  /** The id of the row with this sequence. */
  idOf(sequence: number): string {
    return investmentId(this.journalOf(sequence), sequence);
  }

  /** The journal that the row with this sequence was decided in. */
  journalOf(sequence: number): string {
    if (sequence >= this.#lastFirst) return this.#lastId;
    const entry = this.#lineage.findLast(({ firstSequence }) => firstSequence <= sequence);
    return entry?.journalId ?? this.#lastId;
  }

  /** The sequence that `id` names here, or 0 when it names none: also for a row that was lost with its disk. */
  sequenceOf(id: string): number {
    const match = ID_PATTERN.exec(id);
    if (match === null) return 0;
    const sequence = Number.parseInt(match[2] ?? '', 36);
    return sequence > 0 && Number.isSafeInteger(sequence) && this.idOf(sequence) === id ? sequence : 0;
  }

  /** True when `id` is of a journal of this lineage, whether or not it names a row here. */
  isOfLineage(id: string): boolean {
    return this.#lineage.some(({ journalId }) => id.startsWith(`${journalId}-`));
  }
}
