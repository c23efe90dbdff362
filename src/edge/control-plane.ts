// Changes of rounds, as the node carries them out: journal, shards, shared memory.

import type { Counters } from '../core/counters.js';
import type { Problem } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundChange, RoundDefinition } from '../core/round.js';
import type { AdmissionGateway } from './admission-gateway.js';
import type { ControlPlane } from './rounds.js';

export interface NodeControlModules {
  readonly gateway: AdmissionGateway;
  readonly counters: Counters;
  /** False when this process may not act as the owner of its rounds. */
  readonly owns: () => boolean;
  /** A change has been journaled. */
  readonly onAppended: (definition: RoundDefinition, sequence: number) => Promise<void>;
}

export class NodeControlPlane implements ControlPlane {
  readonly #modules: NodeControlModules;
  /** Caps as shared memory has them: room is raised by the difference. */
  readonly #caps = new Map<number, number>();

  /** @param restored definitions whose counters are set already */
  constructor(modules: NodeControlModules, restored: readonly RoundDefinition[]) {
    this.#modules = modules;
    for (const { number, cap } of restored) this.#caps.set(number, cap);
  }

  async appendRound(
    change: RoundChange,
    definition: RoundDefinition,
  ): Promise<Result<{ sequence: number }, Problem>> {
    const { gateway, owns, onAppended } = this.#modules;
    if (!owns()) return err({ code: 'fenced', retryAfterS: 5 });
    const appended = await gateway.appendRound(change, definition);
    if (appended === null) return err({ code: 'not-durable', retryAfterS: 5 });
    await onAppended(definition, appended.sequence);
    return ok(appended);
  }

  broadcast(definition: RoundDefinition): Promise<void> {
    return this.#modules.gateway.broadcast(definition);
  }

  barrier(): Promise<void> {
    return this.#modules.gateway.barrier();
  }

  publish(definition: RoundDefinition): void {
    const { number, cap, state } = definition;
    const before = this.#caps.get(number) ?? 0;
    if (cap > before) this.#modules.counters.addRoom(number, cap - before);
    this.#caps.set(number, cap);
    this.#modules.counters.setState(number, state);
  }
}
