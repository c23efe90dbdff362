// Opens and closes rounds at their times.
//
// A timer runs on the monotonic clock, opening times are on the wall clock, and the wall clock can be stepped. So no
// timer is armed for longer than ROUND_TIMER_HOP_MS: each hop looks at the wall clock again. It also keeps every
// delay far below 2^31-1 ms, past which setTimeout fires at once.

import { ROUND_TIMER_HOP_MS } from '../core/limits.js';
import type { RoundDefinition } from '../core/round.js';

export interface RoundClock {
  /** Wall clock, milliseconds since the epoch. */
  nowMs(): number;
  /** Calls `fire` once after `delayMs`; the result cancels it. */
  after(delayMs: number, fire: () => void): () => void;
}

/** The clock of the process; a waiting timer does not keep it alive. */
export const systemRoundClock: RoundClock = {
  nowMs: () => Date.now(),
  after: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export type TimedAction = 'open' | 'close';

/** What the times of a round ask for now. A round whose whole window has passed is closed without having opened. */
export function dueAction(definition: RoundDefinition, nowMs: number): TimedAction | null {
  if (definition.state === 'closed') return null;
  if (definition.closesAt !== null && definition.closesAt <= nowMs) return 'close';
  if (definition.state === 'scheduled' && definition.opensAt !== null && definition.opensAt <= nowMs)
    return 'open';
  return null;
}

function nextTimeMs(definition: RoundDefinition): number | null {
  if (definition.state === 'closed') return null;
  const opensAt = definition.state === 'scheduled' ? definition.opensAt : null;
  if (opensAt === null) return definition.closesAt;
  return definition.closesAt === null ? opensAt : Math.min(opensAt, definition.closesAt);
}

export class RoundTimers {
  readonly #clock: RoundClock;
  readonly #onDue: (id: string) => void;
  readonly #cancels = new Map<string, () => void>();

  /** `onDue` is called once per arming, when the round has a due action; whoever acts on it arms again. */
  constructor(clock: RoundClock, onDue: (id: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Replaces the round's timer by one for its next time, not before `delayMsMin` from now. */
  arm(definition: RoundDefinition, delayMsMin = 0): void {
    const { id } = definition;
    this.disarm(id);
    const timeMs = nextTimeMs(definition);
    if (timeMs === null) return;
    const delayMs = Math.max(timeMs - this.#clock.nowMs(), delayMsMin);
    const cancel = this.#clock.after(Math.min(Math.max(delayMs, 0), ROUND_TIMER_HOP_MS), () => {
      this.#cancels.delete(id);
      // Too early, by a hop, by a rounded timer or by a clock that was set back: wait on.
      if (dueAction(definition, this.#clock.nowMs()) === null) this.arm(definition);
      else this.#onDue(id);
    });
    this.#cancels.set(id, cancel);
  }

  disarm(id: string): void {
    this.#cancels.get(id)?.();
    this.#cancels.delete(id);
  }

  /** Cancels every timer. */
  stop(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}
