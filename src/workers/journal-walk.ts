// Reads a whole journal from its start and changes nothing: for the check, the dump and the online audit.

import { type JournalDamage, type JournalPosition, journalStart } from '../core/journal-format.js';
import { err, ok, type Result } from '../core/result.js';
import { type JournalFrame, JournalReader } from './journal-reader.js';
import { checkSegments } from './journal-segments.js';
import { type DirtyRange, examineTail, isZeroFrom } from './journal-tail.js';

export interface WalkEnd {
  readonly journalId: string;
  readonly segments: number;
  readonly end: JournalPosition;
  /** Bytes behind the end that are no frame: what a recovery would cut, or an append that is being written. */
  readonly torn: DirtyRange | null;
}

/**
 * Yields the frames from the first to `durableSequence`, or with Infinity to the end; then how it ended. A journal in
 * use may be walked.
 */
export function* walkJournal(
  dir: string,
  durableSequence: number,
): Generator<JournalFrame, Result<WalkEnd, JournalDamage>, undefined> {
  const checked = checkSegments(dir);
  if (!checked.ok) return checked;
  const first = checked.value[0];
  if (first?.index !== 0) {
    return err({ segment: 0, offset: 0, expectedSequence: 1, reason: 'segment is missing' });
  }
  const reader = new JournalReader(dir, first.journalId, journalStart(first.journalId));
  const lastSegment = checked.value.at(-1)!.index;
  try {
    let end = reader.position();
    let step = nextStep(dir, reader, durableSequence, lastSegment);
    while (step.ok && step.value.frame !== null) {
      const { frame } = step.value;
      if (frame.segment !== end.segment && !isZeroFrom(dir, end.segment, end.offset)) {
        const reason = 'bytes behind the last frame of a finished segment';
        return err({ segment: end.segment, offset: end.offset, expectedSequence: end.nextSequence, reason });
      }
      end = reader.position();
      yield frame;
      step = nextStep(dir, reader, durableSequence, lastSegment);
    }
    if (!step.ok) return step;
    const { journalId } = first;
    return ok({ journalId, segments: checked.value.length, end, torn: step.value.torn });
  } finally {
    reader.close();
  }
}

interface Step {
  readonly frame: JournalFrame | null;
  readonly torn: DirtyRange | null;
}

/** The next frame, or the end of the journal, or damage. */
function nextStep(
  dir: string,
  reader: JournalReader,
  durableSequence: number,
  lastSegment: number,
): Result<Step, JournalDamage> {
  const read = reader.next(durableSequence);
  if (read.ok) return ok({ frame: read.value, torn: null });
  if (Number.isFinite(durableSequence)) return read;
  const end = reader.position();
  const tail = examineTail(dir, read.error, end, Math.max(end.segment, lastSegment));
  if (tail.ok) return ok({ frame: null, torn: tail.value[0] ?? null });
  // The proof against a place may have been written after the place was read: then the place can be read now.
  const again = reader.next(durableSequence);
  return again.ok ? ok({ frame: again.value, torn: null }) : tail;
}
