// How far the rows of the journal are in the store, remembered over a restart. It may be behind, never ahead: a row is
// written again without harm. A cursor that does not fit (of another store or journal, or torn by a power cut, for it is
// not synced) is none, and everything is written again from the first row.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type JournalPosition, journalStart } from '../core/journal-format.js';
import { endsBehindFrame } from '../workers/journal-tail.js';

export interface ReplicationCursor {
  /** Of the store: see RowStore.identity. */
  readonly store: string;
  readonly journalId: string;
  /** Rows by sequence, and rows by investor. */
  readonly rows: JournalPosition;
  readonly investors: JournalPosition;
}

/** The cursor of the beginning. */
export function firstCursor(store: string, journalId: string): ReplicationCursor {
  const start = journalStart(journalId);
  return { store, journalId, rows: start, investors: start };
}

/** The cursor in `file` if it is of this store and journal and leads to places in it, else that of the beginning. */
export function readCursor(
  file: string,
  journalDir: string,
  store: string,
  journalId: string,
): ReplicationCursor {
  const first = firstCursor(store, journalId);
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as ReplicationCursor;
    const fits =
      found.store === store &&
      found.journalId === journalId &&
      [found.rows, found.investors].every((position) => leadsInto(journalDir, position));
    return fits ? found : first;
  } catch {
    // Not there, or not JSON, or of a segment that is not there.
    return first;
  }
}

function leadsInto(journalDir: string, position: JournalPosition): boolean {
  return position.nextSequence === 1 || endsBehindFrame(journalDir, position);
}

/** Replaces the cursor as a whole. Throws what the disk says. */
export function writeCursor(file: string, cursor: ReplicationCursor): void {
  writeFileSync(`${file}.new`, JSON.stringify(cursor), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
