// An epoch that a journal holds frames of, and that is not on record: as it would have been put there at its time.

import type { EpochEntry } from '../core/epochs.js';
import { InvestmentIds, type Lineage } from '../core/ids.js';

export interface FoundEpoch {
  readonly epoch: number;
  readonly firstSequence: number;
  /** The one of the frames before it; 0: there are none. */
  readonly previous: number;
}

/**
 * What its process had promised is not in the journal: the lesser promise claims less of what is missing.
 * @param lineage of the journal that holds the frames
 * @param at milliseconds since the epoch
 */
export function foundEpoch(lineage: Lineage, found: FoundEpoch, at: number): EpochEntry {
  const { epoch, firstSequence, previous } = found;
  // A journal that was built begins with its lineage row, under an epoch of its own.
  const isBuilt = lineage.slice(1).some((entry) => entry.firstSequence === firstSequence);
  const journalId = new InvestmentIds(lineage).journalOf(firstSequence);
  return { epoch, journalId, firstSequence, builtAfter: isBuilt ? previous : 0, ack: 'journal', at };
}
