// A publisher that is there only while this process owns the rounds: who has lost them has nothing to tell any more.

import { err, type Result } from '../core/result.js';
import type { Publisher, PublishFailure } from '../engines/bus.js';

export class GatedPublisher implements Publisher {
  readonly #bus: Publisher;
  readonly #owns: () => boolean;

  constructor(bus: Publisher, owns: () => boolean) {
    this.#bus = bus;
    this.#owns = owns;
  }

  get connected(): boolean {
    return this.#bus.connected && this.#owns();
  }

  publish(topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>> {
    return this.#owns() ? this.#bus.publish(topic, bodies) : Promise.resolve(err('closed'));
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    return this.#bus.onConnectedChange((connected) => listener(connected && this.#owns()));
  }
}
