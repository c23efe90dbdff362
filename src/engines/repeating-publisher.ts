// A publisher for what has no outbox behind it: remembers what a broker took in the last minute, and publishes it again
// when the broker went away with its memory. For messages that may come twice and late, as those that carry a version.

import type { Logger } from 'pino';
import { REPEAT_MESSAGES_MAX, REPEAT_MS, REPEAT_RETRY_MS } from '../core/limits.js';
import type { Result } from '../core/result.js';
import type { Bus, Publisher, PublishFailure } from './bus.js';

export interface RepeatingModules {
  readonly bus: Pick<Bus, 'publish' | 'connected' | 'onConnectedChange' | 'onDoubt' | 'keepsMessages'>;
  readonly logger: Logger;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

/** What one publish took. */
interface Taken {
  readonly topic: string;
  readonly bodies: readonly Uint8Array[];
  readonly atMs: number;
}

export class RepeatingPublisher implements Publisher {
  readonly #modules: RepeatingModules;
  /** Oldest first. */
  readonly #recent = new Set<Taken>();
  #recentMessages = 0;
  /** To be published again, oldest first. */
  #again: Taken[] = [];
  #isRepeating = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(modules: RepeatingModules) {
    this.#modules = modules;
    const { bus } = modules;
    bus.onDoubt(() => this.#doubt());
    bus.onConnectedChange((connected) => {
      if (connected) void this.#repeat();
    });
  }

  get connected(): boolean {
    return this.#modules.bus.connected;
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    return this.#modules.bus.onConnectedChange(listener);
  }

  async publish(topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>> {
    const { bus, clock } = this.#modules;
    const result = await bus.publish(topic, bodies);
    if (result.ok && bus.keepsMessages) this.#remember({ topic, bodies, atMs: clock() });
    return result;
  }

  /** Publishes nothing again; the bus is its owner's to close. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#again = [];
    this.#recent.clear();
  }

  #remember(taken: Taken): void {
    if (this.#closed) return;
    this.#recent.add(taken);
    this.#recentMessages += taken.bodies.length;
    const oldMs = taken.atMs - REPEAT_MS;
    for (const oldest of this.#recent) {
      if (oldest.atMs > oldMs && this.#recentMessages <= REPEAT_MESSAGES_MAX) break;
      this.#recent.delete(oldest);
      this.#recentMessages -= oldest.bodies.length;
    }
  }

  #doubt(): void {
    const { clock, logger } = this.#modules;
    const oldMs = clock() - REPEAT_MS;
    const lost = [...this.#recent].filter(({ atMs }) => atMs > oldMs);
    this.#recent.clear();
    this.#recentMessages = 0;
    if (lost.length === 0 || this.#closed) return;
    logger.info({ publishes: lost.length }, 'bus: published again, as a broker went away');
    this.#again.push(...lost);
    void this.#repeat();
  }

  /** One at a time; what fails stays, and is tried again. */
  async #repeat(): Promise<void> {
    if (this.#isRepeating) return;
    this.#isRepeating = true;
    clearTimeout(this.#timer);
    let next = this.#again[0];
    while (next !== undefined && this.connected) {
      const result = await this.publish(next.topic, next.bodies);
      if (!result.ok) break;
      this.#again.shift();
      next = this.#again[0];
    }
    this.#isRepeating = false;
    if (this.#again.length === 0) return;
    this.#timer = setTimeout(() => void this.#repeat(), REPEAT_RETRY_MS);
    this.#timer.unref();
  }
}
