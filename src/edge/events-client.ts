// The front end's side of the events thread: a one-thread piscina pool that is made when NSQ is configured.

import type { Logger } from 'pino';
import type { Piscina } from 'piscina';
import type { EventsAnswer, EventsOptions, EventsTask } from '../workers/events-protocol.js';
import { oneThreadPool } from './one-thread-pool.js';

export class EventsClient {
  readonly #pool: Piscina;

  constructor(options: EventsOptions, logger: Logger) {
    this.#pool = oneThreadPool({
      worker: 'events',
      workerData: options,
      concurrentTasks: 1,
      // Not the end of the node: the pool starts a new thread, which reads on from the same place.
      onError: (error) => logger.error({ err: error }, 'events: the thread has died'),
    });
  }

  /** Rejects when the thread dies. */
  async read(task: EventsTask): Promise<EventsAnswer> {
    return (await this.#pool.run(task)) as EventsAnswer;
  }

  /** Ends the thread; what it does is given up. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
