// Which rows count, where several nodes have written rows of the same sequences.
//
// Each epoch that writes rows is on record with its journal and the first sequence that it may decide. From there on
// rows of an older epoch count no more: a node that was paused, or whose disk came back, cannot add to what its
// successor has decided. So at every sequence exactly one epoch is in force, the newest that begins at or before it.
//
// That is so of the epochs of one line of journals. A journal that was built from the rows is on record with the newest
// epoch that its builder knew. What another builder put there without the newest journal knowing, or an owner that went on
// with the older journal, belongs to another line: a node that was paused while it took over, and that claims its epoch
// when others have gone on, would else take rows back that they have told of.

import { isLineage, type Lineage, type LineageEntry } from './ids.js';

/** What a node has promised with its answers: see OPENBELL_ACK. */
export type AckLevel = 'journal' | 'replicated';

export interface EpochEntry {
  readonly epoch: number;
  readonly journalId: string;
  /** The first sequence that this epoch decides. */
  readonly firstSequence: number;
  /** Of the node under this epoch. */
  readonly ack: AckLevel;
  /** The newest epoch on record when its journal was built from the rows; 0: that was not built under this epoch. */
  readonly builtAfter: number;
  /** Milliseconds since the epoch: when it was put on record. */
  readonly at: number;
}

/** Those of the newest journal and of the journals that it was built from, newest first. */
function* lineOf(newestFirst: readonly EpochEntry[]): Generator<EpochEntry> {
  let journalId = newestFirst[0]?.journalId;
  let builtAfter = 0;
  for (const entry of newestFirst) {
    if (builtAfter > 0) {
      // Between a journal and the one that it was built from there is nothing of their line.
      if (entry.epoch > builtAfter) continue;
      journalId = entry.journalId;
      builtAfter = 0;
    }
    if (entry.journalId !== journalId) continue;
    yield entry;
    builtAfter = entry.builtAfter;
  }
}

export class EpochBook {
  /** Those in force somewhere, by ascending first sequence, which is also by ascending epoch. */
  readonly #inForce: readonly EpochEntry[];
  readonly #newest: EpochEntry | null;

  /** @param entries in any order */
  constructor(entries: readonly EpochEntry[]) {
    const newestFirst = [...entries].sort((a, b) => b.epoch - a.epoch);
    this.#newest = newestFirst[0] ?? null;
    const inForce: EpochEntry[] = [];
    for (const entry of lineOf(newestFirst)) {
      const successor = inForce.at(-1);
      if (successor === undefined || entry.firstSequence < successor.firstSequence) inForce.push(entry);
    }
    this.#inForce = inForce.reverse();
  }

  /** The newest epoch on record; null where nothing has been written yet. */
  get newest(): EpochEntry | null {
    return this.#newest;
  }

  /** The epoch whose row counts at this sequence; null where none may have one. */
  at(sequence: number): EpochEntry | null {
    return this.#inForce.findLast(({ firstSequence }) => firstSequence <= sequence) ?? null;
  }

  /** True when a row of this epoch counts at this sequence. */
  counts(sequence: number, epoch: number): boolean {
    return this.at(sequence)?.epoch === epoch;
  }

  /** Every sequence below this one had been written by some journal when the newest epochs began. */
  get begunAt(): number {
    return this.#inForce.at(-1)?.firstSequence ?? 1;
  }

  /** Whose ids the sequences before `end` have; null when the record does not begin at the first one. */
  lineage(end: number): Lineage | null {
    const entries: LineageEntry[] = [];
    for (const { journalId, firstSequence } of this.#inForce) {
      if (firstSequence < end && entries.at(-1)?.journalId !== journalId)
        entries.push({ journalId, firstSequence });
    }
    return isLineage(entries) ? entries : null;
  }
}
