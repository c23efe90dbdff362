// Changes of rounds, as the node carries them out: journal, shards, shared memory.

import type { Counters } from '../core/counters.js';
import type { Problem } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundChange, RoundDefinition } from '../core/round.js';
import type { AdmissionGateway } from './admission-gateway.js';
import type { ControlPlane } from './rounds.js';

export class NodeControlPlane implements ControlPlane {
  readonly #gateway: AdmissionGateway;
  readonly #counters: Counters;
  /** Caps as shared memory has them: room is raised by the difference. */
  readonly #caps = new Map<number, number>();

  /** @param restored definitions whose counters are set already */
  constructor(gateway: AdmissionGateway, counters: Counters, restored: readonly RoundDefinition[]) {
    this.#gateway = gateway;
    this.#counters = counters;
    for (const { number, cap } of restored) this.#caps.set(number, cap);
  }

  async appendRound(
    change: RoundChange,
    definition: RoundDefinition,
  ): Promise<Result<{ sequence: number }, Problem>> {
    const appended = await this.#gateway.appendRound(change, definition);
    return appended === null ? err({ code: 'not-durable', retryAfterS: 5 }) : ok(appended);
  }

  broadcast(definition: RoundDefinition): Promise<void> {
    return this.#gateway.broadcast(definition);
  }

  barrier(): Promise<void> {
    return this.#gateway.barrier();
  }

  publish(definition: RoundDefinition): void {
    const { number, cap, state } = definition;
    const before = this.#caps.get(number) ?? 0;
    if (cap > before) this.#counters.addRoom(number, cap - before);
    this.#caps.set(number, cap);
    this.#counters.setState(number, state);
  }
}
