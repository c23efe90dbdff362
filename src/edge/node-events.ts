// The events of a running edge: the thread that reads them, the cursor, and the publisher between them and NSQ.

import path from 'node:path';
import type { Logger } from 'pino';
import type { Lineage } from '../core/ids.js';
import { monotonicMs } from './clocks.js';
import { EventsClient } from './events-client.js';
import { EventsCursor } from './events-cursor.js';
import { type EventsModules, EventsPublisher } from './events-publisher.js';
import type { RoundsService } from './rounds.js';

export interface NodeEventsModules {
  readonly journalDir: string;
  readonly journalId: string;
  readonly lineage: Lineage;
  /** The newest sequence that may be told to others. */
  readonly durable: () => number;
  readonly rounds: Pick<RoundsService, 'list'>;
  readonly bus: EventsModules['bus'];
  readonly logger: Logger;
}

export function nodeEvents(modules: NodeEventsModules): EventsPublisher {
  const { journalDir, journalId, lineage, durable, rounds, bus, logger } = modules;
  const client = new EventsClient({ journalDir, journalId, lineage }, logger);
  return new EventsPublisher({
    read: (from) => {
      // In this order: a round is in the list before the first row that is about it is durable.
      const durableSequence = durable();
      const labels = rounds.list().map(({ number, id, currency }) => ({ number, id, currency }));
      return client.read({ from, durableSequence, rounds: labels });
    },
    closeReader: () => client.close(),
    durable,
    bus,
    cursor: new EventsCursor(path.join(path.dirname(journalDir), 'events-cursor.json'), journalId),
    logger,
    clock: monotonicMs,
  });
}
