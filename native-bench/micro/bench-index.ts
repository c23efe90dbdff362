// An index of its own for a suite: empty but for one round, and filled with verdicts of scattered investors.

import { must } from '../../src/core/assert.js';
import { type JournalPosition, journalStart } from '../../src/core/journal-format.js';
import type { Row, VerdictRow } from '../../src/core/rows.js';
import { IndexApplier } from '../../src/workers/index-apply.js';
import { type IndexDb, openIndex } from '../../src/workers/index-db.js';
import { AT_MS, JOURNAL_ID, ROUND, times, verdictRow } from './samples.js';

export class BenchIndex {
  readonly db: IndexDb;
  readonly #applier: IndexApplier;
  #next = 0;

  /** @param dir is made when missing, and must be empty */
  constructor(dir: string) {
    const opened = openIndex(dir, { readOnly: false });
    if (!opened.ok) throw new Error(opened.error);
    this.db = opened.value;
    this.#applier = IndexApplier.initialise(this.db, JOURNAL_ID, journalStart(JOURNAL_ID));
    const sequence = 1;
    this.apply([{ kind: 'round', sequence, at: AT_MS, change: 'created', definition: ROUND }]);
  }

  /** Rows that come next in the journal: the first verdict of each of the next `count` investors. */
  nextRows(count: number): VerdictRow[] {
    const first = this.#applier.mark.position.nextSequence;
    return times(count, (i) => verdictRow(this.#next + i, first + i));
  }

  /** One transaction, flushed when it returns. */
  apply(rows: readonly Row[]): void {
    const last = must(rows[rows.length - 1], 'a row');
    const position: JournalPosition = { ...this.#applier.mark.position, nextSequence: last.sequence + 1 };
    this.#applier.apply(rows, position);
    if (last.kind === 'verdict') this.#next += rows.length;
  }

  close(): Promise<void> {
    return this.db.close();
  }
}
