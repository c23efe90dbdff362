// What a start does with the index it finds: keep it and read the journal's tail, or build it again.
//
// It is built again, from the journal's first row, when it is missing, unreadable, of another format or of another
// journal, or contradicts the journal while the tail is applied. The old one is kept beside it, one at a time.
// It is not built again when its mark lies beyond the journal: an index holds nothing that was not synced, so then the
// journal has lost rows. That is damage, and recoverJournal says so.
// Balances are not in the journal. An index built again knows none until the bank's feed or an import has told them.

import fs from 'node:fs';
import path from 'node:path';
import { describeDamage, journalStart } from '../core/journal-format.js';
import { INDEX_BATCH_ROWS_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { IndexApplier } from './index-apply.js';
import { isIndexDamage, readDamageNote } from './index-damage.js';
import { INDEX_FORMAT, type IndexDb, type IndexMark, openIndex } from './index-db.js';
import { inspectIndexFile } from './index-file.js';
import { PendingRows, RowDamage } from './index-pending.js';
import { selfCheck } from './index-self-check.js';
import { type RecoveredJournal, recoverJournal } from './journal-recovery.js';
import { checkSegments } from './journal-segments.js';

export interface RecoveryPlaces {
  readonly journalDir: string;
  readonly indexDir: string;
  /** Size of the first segment, if there is no journal yet. */
  readonly segmentBytes: number;
  /** The highest sequence that anything but the index knows to be durable; 0: none. */
  readonly floorSequence: number;
}

export interface RecoveredIndex {
  readonly db: IndexDb;
  readonly applier: IndexApplier;
  readonly journal: RecoveredJournal;
  readonly replayedRows: number;
  /** Why the index was built from the journal's start, or null. */
  readonly rebuilt: string | null;
}

interface FoundIndex {
  readonly db: IndexDb;
  /** Null for an index that has just been made. */
  readonly mark: IndexMark | null;
  readonly rebuilt: string | null;
}

interface ReplayError {
  /** Which of the two cannot be right. */
  readonly of: 'journal' | 'index';
  readonly message: string;
}

/** Where an index goes that is not used any more; the one before it is removed. */
export function setAsidePath(indexDir: string): string {
  return `${indexDir}.set-aside`;
}

/**
 * Makes journal and index agree; an error is how the journal is damaged. Throws what the machine lacks: rights,
 * memory, space.
 */
export async function recoverIndex(places: RecoveryPlaces): Promise<Result<RecoveredIndex, string>> {
  const checked = checkSegments(places.journalDir);
  if (!checked.ok) return err(describeDamage(checked.error));
  const journalId = checked.value[0]?.journalId ?? null;
  let found = await findIndex(places.indexDir, journalId);
  let replayed = await replay(places, journalId, found);
  if (!replayed.ok && replayed.error.of === 'index' && found.mark !== null) {
    found = makeIndex(places.indexDir, replayed.error.message);
    replayed = await replay(places, journalId, found);
  }
  if (replayed.ok) return replayed;
  const { of, message } = replayed.error;
  return err(of === 'journal' ? message : `the journal contradicts itself: ${message}`);
}

async function findIndex(indexDir: string, journalId: string | null): Promise<FoundIndex> {
  if (!fs.existsSync(indexDir)) return makeIndex(indexDir, journalId === null ? null : 'there was no index');
  const note = readDamageNote(indexDir);
  if (note !== null) return makeIndex(indexDir, note);
  const lengthened = lengthen(indexDir);
  const opened = openIndex(indexDir, { readOnly: false });
  if (!opened.ok) return makeIndex(indexDir, opened.error);
  const db = opened.value;
  const mark = readMark(db, lengthened);
  const unusable = typeof mark === 'string' ? mark : mismatch(mark, journalId);
  if (typeof mark !== 'string' && unusable === null) return { db, mark, rebuilt: null };
  await db.close();
  return makeIndex(indexDir, unusable);
}

/**
 * LMDB leaves free pages at the end unwritten now and then, so a file that is too short may still be whole. It is
 * filled up with zeros, which no page of use consists of, and then has to be read through.
 */
function lengthen(indexDir: string): boolean {
  const file = inspectIndexFile(indexDir);
  if (file === null || file.bytes >= file.bytesNamed) return false;
  fs.truncateSync(file.path, file.bytesNamed);
  return true;
}

/** The mark, or why the index cannot be used. */
function readMark(db: IndexDb, suspicious: boolean): IndexMark | string {
  try {
    if (suspicious) {
      const difference = selfCheck(db).differences[0];
      if (difference !== undefined) return difference;
    }
    return db.readMark() ?? 'it was never finished';
  } catch (error) {
    if (isIndexDamage(error)) return error.message;
    throw error;
  }
}

function mismatch(mark: IndexMark, journalId: string | null): string | null {
  if (mark.format !== INDEX_FORMAT) return `it has format ${mark.format}, this is ${INDEX_FORMAT}`;
  if (journalId !== null && mark.journalId !== journalId) {
    return `it is the index of journal ${mark.journalId}, not of ${journalId}`;
  }
  // Rows that no journal holds any more: recoverJournal names that damage.
  if (journalId === null && mark.position.nextSequence === 1) return 'its journal is gone';
  return null;
}

/** An empty index in place of whatever is there. */
function makeIndex(indexDir: string, reason: string | null): FoundIndex {
  // An empty directory may be a mount point, and is as good as none.
  if (fs.existsSync(indexDir) && fs.readdirSync(indexDir).length > 0) {
    fs.rmSync(setAsidePath(indexDir), { recursive: true, force: true });
    fs.renameSync(indexDir, setAsidePath(indexDir));
  }
  const opened = openIndex(indexDir, { readOnly: false });
  if (!opened.ok) throw new Error(`a new index cannot be used: ${opened.error}`);
  // LMDB syncs its file; that the file has a name is ours to sync.
  for (const dir of [indexDir, path.dirname(indexDir)]) syncDirectory(dir);
  return { db: opened.value, mark: null, rebuilt: reason };
}

/** Recovers the journal from the index mark on, and applies what is behind it. Closes the index when it fails. */
async function replay(
  places: RecoveryPlaces,
  journalId: string | null,
  found: FoundIndex,
): Promise<Result<RecoveredIndex, ReplayError>> {
  const { db, mark, rebuilt } = found;
  try {
    let applier: IndexApplier | null = null;
    if (mark !== null) applier = new IndexApplier(db, mark);
    else if (journalId !== null) applier = IndexApplier.initialise(db, journalId, journalStart(journalId));
    const journal = recoverInto(places, applier);
    if (!journal.ok) {
      await db.close();
      return journal;
    }
    applier ??= IndexApplier.initialise(db, journal.value.journalId, journal.value.end);
    return ok({ db, applier, journal: journal.value, replayedRows: journal.value.rows, rebuilt });
  } catch (error) {
    await db.close();
    if (isIndexDamage(error)) return err({ of: 'index', message: error.message });
    if (error instanceof RowDamage) return err({ of: 'journal', message: error.message });
    throw error;
  }
}

/** @param applier null where there is no journal yet, so nothing to apply */
function recoverInto(
  places: RecoveryPlaces,
  applier: IndexApplier | null,
): Result<RecoveredJournal, ReplayError> {
  const { journalDir, segmentBytes, floorSequence } = places;
  const from = applier?.mark.position ?? null;
  const pending = applier === null ? null : new PendingRows(applier);
  const recovered = recoverJournal(journalDir, {
    from,
    floorSequence,
    segmentBytes,
    onFrame: (frame) => {
      pending?.add(frame);
      if ((pending?.count ?? 0) >= INDEX_BATCH_ROWS_MAX) pending?.apply();
    },
  });
  if (!recovered.ok) return err({ of: 'journal', message: describeDamage(recovered.error) });
  pending?.apply();
  return ok(recovered.value);
}

function syncDirectory(dir: string): void {
  const fd = fs.openSync(dir, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
