// What the main thread and the events thread say to each other. One piscina task at a time.

import type { Lineage } from '../core/ids.js';
import type { JournalPosition } from '../core/journal-format.js';
import type { Result } from '../core/result.js';

/** `workerData` of the events thread. */
export interface EventsOptions {
  readonly journalDir: string;
  readonly journalId: string;
  /** Journals that its rows were decided in. */
  readonly lineage: Lineage;
}

/** Reads on from a position, as far as the disk is known to have the journal. */
export interface EventsTask {
  /** Null: the start of the journal. */
  readonly from: JournalPosition | null;
  readonly durableSequence: number;
  /** Every round that a row up to there may be of. */
  readonly rounds: readonly { readonly number: number; readonly id: string; readonly currency: string }[];
}

/** Events of whole frames, in the order of the journal. */
export interface EventBatch {
  /** The events one behind the other, each UTF-8 JSON. */
  readonly slab: Uint8Array;
  /** Where each event ends in the slab. */
  readonly ends: readonly number[];
  /** Behind the last row that was read; the next task goes on from here. */
  readonly position: JournalPosition;
}

export type EventsFailure =
  /** No frame ends at the position: it is of another journal. */
  { readonly code: 'not-here' } | { readonly code: 'damaged'; readonly message: string };

export type EventsAnswer = Result<EventBatch, EventsFailure>;
