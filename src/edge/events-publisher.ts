// Publishes every change of an investment as an event, from the journal, at least once.
//
// A broker has an event when it says so, and may lose what it had in memory when it dies. So what was published in the
// last minute is published again after such a death, and after a crash of this process: the stored cursor stays that far
// behind. After a stop in order nothing is repeated. Consumers know a repetition by its id.

import type { Logger } from 'pino';
import type { JournalPosition } from '../core/journal-format.js';
import {
  EVENTS_CURSOR_MS,
  EVENTS_POSITION_MS,
  EVENTS_PUBLISH_MAX,
  EVENTS_REPEAT_MS,
  EVENTS_RETRY_MAX_MS,
  EVENTS_RETRY_MIN_MS,
  EVENTS_TICK_MS,
} from '../core/limits.js';
import { TOPICS } from '../core/messages.js';
import type { Bus } from '../engines/bus.js';
import type { EventBatch, EventsAnswer } from '../workers/events-protocol.js';
import type { EventsCursor } from './events-cursor.js';

export interface EventsModules {
  /** The next events from a position (null: the start of the journal), as far as the journal is durable. */
  readonly read: (from: JournalPosition | null) => Promise<EventsAnswer>;
  readonly closeReader: () => Promise<void>;
  readonly durable: () => number;
  readonly bus: Pick<Bus, 'publish' | 'connected' | 'onConnectedChange' | 'onDoubt'>;
  readonly cursor: Pick<EventsCursor, 'read' | 'write'>;
  readonly logger: Logger;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

/** A place in the journal, and when everything before it had been published. */
interface Reached {
  readonly atMs: number;
  readonly position: JournalPosition | null;
}

export class EventsPublisher {
  readonly #modules: EventsModules;
  /** Everything before it is published. */
  #position: JournalPosition | null = null;
  /** Where it was, oldest first: the first is at least EVENTS_REPEAT_MS ago, or the beginning. */
  #reached: Reached[] = [];
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #stopped = true;
  #isInDoubt = false;
  #notBeforeMs = 0;
  #failures = 0;
  #published = 0;
  #stored: JournalPosition | null = null;
  #storedAtMs = Number.NEGATIVE_INFINITY;

  constructor(modules: EventsModules) {
    this.#modules = modules;
    modules.bus.onConnectedChange((connected) => {
      if (connected) this.tick();
    });
    modules.bus.onDoubt(() => {
      this.#isInDoubt = true;
    });
  }

  /** Events that the bus has taken since the start, repetitions included. */
  get published(): number {
    return this.#published;
  }

  /** All rows up to this sequence are published. */
  get sequence(): number {
    return (this.#position?.nextSequence ?? 1) - 1;
  }

  async start(): Promise<void> {
    const { cursor, clock } = this.#modules;
    this.#stored = await cursor.read();
    this.#move(this.#stored);
    this.#reached = [{ atMs: clock(), position: this.#stored }];
    this.#stopped = false;
    this.#timer = setInterval(() => this.tick(), EVENTS_TICK_MS);
    this.#timer.unref();
  }

  /** Ends after the publish that is on its way, and stores how far it came. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    const wasStarted = !this.#stopped;
    this.#stopped = true;
    await this.#running;
    if (wasStarted && !this.#isInDoubt) await this.#store(this.#position);
  }

  /** Lets go of the reader; `stop` comes first. */
  close(): Promise<void> {
    return this.#modules.closeReader();
  }

  /** Publishes what there is, unless that is under way. */
  tick(): void {
    const { bus, durable, clock } = this.#modules;
    if (this.#stopped || this.#running !== null || clock() < this.#notBeforeMs) return;
    if (this.#isInDoubt) this.#goBack();
    // Also while nothing comes: what was published a minute ago is then behind us.
    this.#move(this.#position);
    const hasWork = bus.connected && durable() > this.sequence;
    if (!hasWork && !this.#isStoreDue()) return;
    this.#running = this.#run(hasWork)
      .catch((error: unknown) => this.#failed(String(error)))
      .finally(() => {
        this.#running = null;
      });
  }

  async #run(hasWork: boolean): Promise<void> {
    const { read, bus, durable } = this.#modules;
    while (hasWork && !this.#stopped && !this.#isInDoubt && bus.connected && durable() > this.sequence) {
      const answer = await read(this.#position);
      if (!answer.ok) {
        if (answer.error.code === 'damaged') this.#failed(answer.error.message);
        else this.#startOver();
        return;
      }
      const failure = await this.#publish(answer.value);
      if (failure !== null) {
        this.#failed(failure);
        return;
      }
      this.#failures = 0;
      this.#move(answer.value.position);
      await this.#storeIfDue();
    }
    await this.#storeIfDue();
  }

  /** One publish at a time: events must not crowd out the investments on the same bus. Null when all was taken. */
  async #publish({ slab, ends }: EventBatch): Promise<string | null> {
    const { bus } = this.#modules;
    for (let first = 0; first < ends.length; first += EVENTS_PUBLISH_MAX) {
      const bodies: Uint8Array[] = [];
      for (let at = first; at < Math.min(ends.length, first + EVENTS_PUBLISH_MAX); at++)
        bodies.push(slab.subarray(at === 0 ? 0 : ends[at - 1]!, ends[at]!));
      const result = await bus.publish(TOPICS.events, bodies);
      if (!result.ok) return result.error;
      this.#published += bodies.length;
      if (this.#stopped) return 'closed';
    }
    return null;
  }

  /** Further reading starts at the position; where it was is remembered for a while. */
  #move(position: JournalPosition | null): void {
    const atMs = this.#modules.clock();
    this.#position = position;
    const last = this.#reached.at(-1);
    // A place each quarter of a second is near enough, and bounds the list.
    if (last === undefined || atMs - last.atMs >= EVENTS_POSITION_MS) this.#reached.push({ atMs, position });
    while (this.#reached.length > 1 && this.#reached[1]!.atMs <= atMs - EVENTS_REPEAT_MS)
      this.#reached.shift();
  }

  /** The broker may have lost what it had taken of late. */
  #goBack(): void {
    this.#isInDoubt = false;
    const oldest = this.#reached[0];
    if (oldest === undefined) return;
    const before = this.sequence;
    this.#position = oldest.position;
    this.#reached = [oldest];
    if (before > this.sequence)
      this.#modules.logger.info(
        { from: this.sequence, to: before },
        'events: published again, as a broker went away',
      );
  }

  /** The journal is another one, or was built again: ids tell what consumers know already. */
  #startOver(): void {
    this.#modules.logger.warn('events: the cursor is not of this journal; everything is published again');
    this.#position = null;
    this.#stored = null;
    this.#reached = [{ atMs: this.#modules.clock(), position: null }];
  }

  #failed(reason: string): void {
    const { clock, logger } = this.#modules;
    if (this.#stopped) return;
    // A bus that is away is told of by the bus itself.
    if (reason !== 'unreachable') logger.error({ reason }, 'events: not published; tried again');
    this.#notBeforeMs =
      clock() + Math.min(EVENTS_RETRY_MAX_MS, EVENTS_RETRY_MIN_MS * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
  }

  #isStoreDue(): boolean {
    const { position = null } = this.#reached[0] ?? {};
    return position !== this.#stored && this.#modules.clock() - this.#storedAtMs >= EVENTS_CURSOR_MS;
  }

  async #storeIfDue(): Promise<void> {
    if (this.#isStoreDue()) await this.#store(this.#reached[0]?.position ?? null);
  }

  async #store(position: JournalPosition | null): Promise<void> {
    const { cursor, clock, logger } = this.#modules;
    this.#storedAtMs = clock();
    if (position === null || position === this.#stored) return;
    try {
      await cursor.write(position);
      this.#stored = position;
    } catch (error) {
      logger.error(
        { reason: (error as Error).message },
        'events: the cursor is not stored; it is tried again',
      );
    }
  }
}
