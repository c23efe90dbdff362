// Reads the rows of a store from the first one on, hands out those that follow each other, and looks behind the first
// hole for what is there as well.

import type { EpochBook } from '../core/epochs.js';
import { JOURNAL_FRAME_ROWS_MAX, REPLICATION_CHUNK_ROWS, REPLICATION_WINDOW_ROWS } from '../core/limits.js';
import { ok, type Result } from '../core/result.js';
import type { Row } from '../core/rows.js';
import type { RowsFailure } from '../engines/rows.js';
import type { FoundRows } from './rebuild-found.js';
import { bucketOf, type StoredRows } from './stored-rows.js';

/** A replicator has no row on its way further than this behind the first that has not arrived. */
const REACH = REPLICATION_WINDOW_ROWS + REPLICATION_CHUNK_ROWS + JOURNAL_FRAME_ROWS_MAX;

/**
 * @param knownTo rows up to here are said to have been: it looks for them, however large the hole
 * @param take gets each row of those that follow each other, in order, with its epoch
 */
export async function collectRows(
  rows: StoredRows,
  book: EpochBook,
  knownTo: number,
  take: (row: Row, epoch: number) => void,
): Promise<Result<FoundRows, RowsFailure>> {
  const begun = await rows.begin();
  if (!begun.ok) return begun;
  const looksTo = Math.max(knownTo, rows.lastControl, book.begunAt);
  let end = 0;
  let damage: string | null = null;
  const beyond = { count: 0, first: 0, last: 0 };
  let promisedBeyond = 0;
  // The end moves with each bucket that is full, and stays where the rows end.
  for (let bucket = 0; bucket <= bucketOf(Math.max(looksTo, end + REACH)); bucket++) {
    const found = await rows.bucket(bucket);
    if (!found.ok) return found;
    for (const { sequence, epoch, row } of found.value) {
      // They ascend, so behind a hole none follows the end any more.
      if (sequence === end + 1 && row.ok) {
        take(row.value, epoch);
        end = sequence;
        continue;
      }
      if (sequence === end + 1 && !row.ok) damage = row.error;
      if (beyond.count === 0) beyond.first = sequence;
      beyond.last = sequence;
      beyond.count += 1;
      if (book.at(sequence)?.ack === 'journal') promisedBeyond = sequence;
    }
  }
  return ok({ end, beyond: beyond.count === 0 ? null : beyond, promisedBeyond, damage });
}

/** The last sequence of a row that counts behind the end of a journal, as far as there can be any; 0: there is none. */
export async function lastRowBehind(rows: StoredRows, end: number): Promise<Result<number, RowsFailure>> {
  const begun = await rows.begin();
  if (!begun.ok) return begun;
  let last = 0;
  for (let bucket = bucketOf(end + 1); bucket <= bucketOf(end + REACH); bucket++) {
    const found = await rows.bucket(bucket);
    if (!found.ok) return found;
    const sequence = found.value.at(-1)?.sequence ?? 0;
    if (sequence > end) last = sequence;
  }
  return ok(Math.max(last, rows.lastControl > end ? rows.lastControl : 0));
}
