// A node around the rounds, for tests: a control plane that writes down what is asked of it, and a clock that waits.

import type { Problem } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundChange, RoundDefinition } from '../core/round.js';
import { FakeRoundClock } from './fake-round-clock.js';
import { type ControlPlane, RoundsService } from './rounds.js';

export const crowd = { id: 'crowd', name: 'Crowd', currency: 'GBP', cap: 2_000, minimum: 10, maximum: 200 };

/** Writes down the beginning and the end of everything that is asked of it. */
class FakeControl implements ControlPlane {
  events: string[] = [];
  published = new Map<string, RoundDefinition>();
  refusal: Problem | null = null;
  #sequence = 0;

  async #slowly(name: string): Promise<void> {
    this.events.push(`${name} begins`);
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    this.events.push(`${name} ends`);
  }

  async appendRound(
    change: RoundChange,
    definition: RoundDefinition,
  ): Promise<Result<{ sequence: number }, Problem>> {
    await this.#slowly(`journal ${change} ${describeRound(definition)}`);
    return this.refusal === null ? ok({ sequence: ++this.#sequence }) : err(this.refusal);
  }

  broadcast(definition: RoundDefinition): Promise<void> {
    return this.#slowly(`shards ${describeRound(definition)}`);
  }

  barrier(): Promise<void> {
    return this.#slowly('barrier');
  }

  publish(definition: RoundDefinition): void {
    this.events.push(`publish ${describeRound(definition)}`);
    this.published.set(definition.id, definition);
  }

  /** The events since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }
}

function describeRound({ state, cap, minimum, maximum }: RoundDefinition): string {
  return `${state} ${minimum}-${maximum}/${cap}`;
}

/** A service with nothing in it. */
export function newRounds(startMs = Date.parse('2026-11-23T10:00:00Z')) {
  const control = new FakeControl();
  const clock = new FakeRoundClock(startMs);
  const failures: unknown[] = [];
  const rounds = new RoundsService({
    control,
    clock,
    onTimerFailure: (_id, reason) => failures.push(reason),
  });
  return { control, clock, rounds, failures };
}

export const codeOf = (result: Result<unknown, Problem>): string => (result.ok ? 'ok' : result.error.code);
