// The piscina worker of the events: a pool of one thread that reads the journal for whoever wants to know of each
// change, so that the main thread only passes bytes on. Run it with atomics 'disabled' and one task at a time.

import { workerData } from 'piscina';
import type { EventsAnswer, EventsOptions, EventsTask } from './events-protocol.js';
import { EventsReader } from './events-reader.js';

const reader = new EventsReader(workerData as EventsOptions);

/** Piscina's entry. */
export function run(task: EventsTask): EventsAnswer {
  return reader.read(task);
}
