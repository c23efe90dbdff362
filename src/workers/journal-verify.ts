// The whole check of a journal: segments, frames, chain and rows, then the invariants that it shows by itself.
// It reads and never changes anything. Used offline by the command line and online by the audit.

import type { JournalDamage } from '../core/journal-format.js';
import { forEachRow } from '../core/row-codec.js';
import type { Row } from '../core/rows.js';
import { type AuditProblem, JournalAuditor, type RoundTotals } from './journal-audit.js';
import type { JournalFrame } from './journal-reader.js';
import type { DirtyRange } from './journal-tail.js';
import { walkJournal } from './journal-walk.js';

export interface JournalReport {
  readonly journalId: string | null;
  readonly segments: number;
  readonly frames: number;
  readonly rows: number;
  readonly lastSequence: number;
  /** Bytes behind the end that no recovery has cut yet; no damage. */
  readonly torn: DirtyRange | null;
  readonly damage: JournalDamage | null;
  /** The first problems of `problemCount`. */
  readonly problems: readonly AuditProblem[];
  readonly problemCount: number;
  /** Rows that the bounds of the audit left unchecked. */
  readonly unchecked: { readonly live: number; readonly keys: number };
  readonly rounds: readonly RoundTotals[];
}

/** True when the report names nothing wrong. */
export function isSound(report: JournalReport): boolean {
  return report.damage === null && report.problemCount === 0;
}

/**
 * Checks the journal from its start to `durableSequence`, or with Infinity to its end. `onRow` sees each row as well,
 * for comparisons with what others hold.
 */
export function verifyJournal(
  dir: string,
  durableSequence: number,
  onRow?: (row: Row) => void,
): JournalReport {
  const auditor = new JournalAuditor();
  const visitor = (row: Row) => {
    auditor.add(row);
    onRow?.(row);
  };
  const walk = walkJournal(dir, durableSequence);
  let frames = 0;
  let lastSequence = 0;
  let damage: JournalDamage | null = null;
  let epoch = 0;
  let step = walk.next();
  while (step.done !== true && damage === null) {
    const frame = step.value;
    damage = epochDamage(frame, epoch) ?? rowDamage(frame, visitor);
    epoch = frame.header.epoch;
    if (damage === null) {
      frames += 1;
      lastSequence = frame.header.firstSequence + frame.header.count - 1;
      step = walk.next();
    }
  }
  const end = step.done === true ? step.value : null;
  if (end === null) walk.return(undefined as never);
  else if (!end.ok) damage = end.error;
  return {
    journalId: end?.ok === true ? end.value.journalId : null,
    segments: end?.ok === true ? end.value.segments : 0,
    frames,
    rows: lastSequence,
    lastSequence,
    torn: end?.ok === true ? end.value.torn : null,
    damage,
    problems: auditor.problems,
    problemCount: auditor.problemCount,
    unchecked: auditor.unchecked,
    rounds: auditor.totals(),
  };
}

/** A frame of an older epoch than the one before it was written by a node that had lost its lease. */
function epochDamage(frame: JournalFrame, epoch: number): JournalDamage | null {
  if (frame.header.epoch >= epoch) return null;
  return damageOf(frame, `frame is of epoch ${frame.header.epoch}, after epoch ${epoch}`);
}

function rowDamage(frame: JournalFrame, visitor: (row: Row) => void): JournalDamage | null {
  const { firstSequence, count } = frame.header;
  const read = forEachRow(frame.payload, firstSequence, count, visitor);
  return read.ok ? null : damageOf(frame, read.error);
}

function damageOf(frame: JournalFrame, reason: string): JournalDamage {
  return {
    segment: frame.segment,
    offset: frame.offset,
    expectedSequence: frame.header.firstSequence,
    reason,
  };
}
