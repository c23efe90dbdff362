// The piscina worker of the upkeep: a pool of one thread for what must not hold up admission or the indexer. Run it
// with atomics 'disabled' and one task at a time.

import { workerData } from 'piscina';
import type { UpkeepAnswer, UpkeepOptions, UpkeepTask } from './upkeep-protocol.js';
import { UpkeepWork } from './upkeep-work.js';

const work = new UpkeepWork(workerData as UpkeepOptions);

/** Piscina's entry. */
export function run(task: UpkeepTask): UpkeepAnswer<UpkeepTask> {
  return work.run(task);
}
