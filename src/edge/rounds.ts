// The rounds of this node: which there are, and every change of them.
//
//   scheduled ──open──▶ open ◀──resume── paused        open: by hand or at opensAt
//       │                │ └───pause───▶   │            close: by hand or at closesAt, and final
//       └─────close──────┴──────close──────┘──▶ closed
//
// The order of a change makes the journal tell the truth about it, whenever the node dies:
//
//   permissive (create, open, resume, cap up, wider bounds)    journal ▶ shards ▶ shared memory ▶ answer
//   restrictive (pause, close, narrower bounds)                shared memory ▶ shards ▶ barrier ▶ journal ▶ answer
//
// Nothing is admitted under a permission that is not durable, and no row that was decided before a restriction
// comes after it in the journal. A change with both kinds first narrows, then journals, then widens.

import { assert } from '../core/assert.js';
import { ROUND_CHANGES_WAITING_MAX, ROUND_TIMER_RETRY_MS, ROUNDS_MAX } from '../core/limits.js';
import type { Problem } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundChange, RoundDefinition, RoundState } from '../core/round.js';
import { checkRelations, malformed, parseAmendment, parseNewRound } from './round-bodies.js';
import { dueAction, type RoundClock, RoundTimers } from './round-timers.js';
import { SerialQueue } from './serial-queue.js';

/** What the node does for a change of a round. */
export interface ControlPlane {
  /** Journals a round row durably; resolves after fdatasync. */
  appendRound(
    change: RoundChange,
    definition: RoundDefinition,
  ): Promise<Result<{ sequence: number }, Problem>>;
  /** Gives every shard the definition; resolves when all have it. */
  broadcast(definition: RoundDefinition): Promise<void>;
  /** Resolves when every batch that was dispatched before has been answered. */
  barrier(): Promise<void>;
  /** Writes the definition's state, cap, bounds and times into its slot of shared memory. Twice is as once. */
  publish(definition: RoundDefinition): void;
}

export interface RoundsModules {
  readonly control: ControlPlane;
  readonly clock: RoundClock;
  /** A change that a timer asked for and that failed; it is tried again. */
  readonly onTimerFailure: (id: string, reason: unknown) => void;
}

export type RoundAction = 'open' | 'pause' | 'resume' | 'close';

interface Transition {
  readonly from: readonly RoundState[];
  readonly to: RoundState;
  readonly change: RoundChange;
}

const TRANSITIONS: Readonly<Record<RoundAction, Transition>> = {
  open: { from: ['scheduled'], to: 'open', change: 'opened' },
  pause: { from: ['open'], to: 'paused', change: 'paused' },
  resume: { from: ['paused'], to: 'open', change: 'resumed' },
  close: { from: ['scheduled', 'open', 'paused'], to: 'closed', change: 'closed' },
};

type Changed = Result<RoundDefinition, Problem>;

const OVERLOADED: Problem = {
  code: 'overloaded',
  detail: 'Too many changes of this round are waiting.',
  retryAfterS: 1,
};

export class RoundsService {
  readonly #control: ControlPlane;
  readonly #clock: RoundClock;
  readonly #onTimerFailure: RoundsModules['onTimerFailure'];
  readonly #timers: RoundTimers;
  readonly #byId = new Map<string, RoundDefinition>();
  readonly #queues = new Map<string, SerialQueue>();
  readonly #creations = new SerialQueue(ROUND_CHANGES_WAITING_MAX);
  #list: readonly RoundDefinition[] = [];
  #stopped = false;

  constructor(modules: RoundsModules) {
    this.#control = modules.control;
    this.#clock = modules.clock;
    this.#onTimerFailure = modules.onTimerFailure;
    this.#timers = new RoundTimers(modules.clock, (id) => void this.#fireTimer(id));
  }

  /** All rounds in order of creation; the same array until one changes. */
  list(): readonly RoundDefinition[] {
    return this.#list;
  }

  get(id: string): RoundDefinition | undefined {
    return this.#byId.get(id);
  }

  /** Takes the rounds that the index knows and gives them to shards and shared memory. Once, before `start`. */
  async restore(definitions: readonly RoundDefinition[]): Promise<void> {
    assert(this.#byId.size === 0, 'rounds are restored once, before any is created');
    const numbers = new Set(definitions.map((definition) => definition.number));
    assert(numbers.size === definitions.length, 'every round has a number of its own');
    for (const definition of definitions.toSorted((a, b) => a.number - b.number)) {
      await this.#control.broadcast(definition);
      this.#adopt(definition);
    }
  }

  /** Journals a definition that the last owner had made and this journal lacks. Once, after `restore`. */
  async adopt(definition: RoundDefinition): Promise<Changed> {
    const current = this.#byId.get(definition.id) ?? null;
    const namesake = this.#list.find(({ number }) => number === definition.number);
    if (
      (namesake ?? definition).id !== definition.id ||
      (current ?? definition).number !== definition.number
    ) {
      const detail = `Round number ${definition.number} is another round here.`;
      return err({ code: 'round-exists', detail });
    }
    if (current !== null && definition.cap < current.cap)
      return err({ code: 'cap-below', members: { cap: current.cap } });
    return this.#apply(current, definition, current === null ? 'created' : 'amended');
  }

  /** Makes the changes whose time passed while the node was down, then waits for the next ones. */
  async start(): Promise<void> {
    for (const { id } of this.#list) await this.#fireTimer(id);
  }

  /** No timer fires any more; changes that wait are still made. */
  stop(): void {
    this.#stopped = true;
    this.#timers.stop();
  }

  /** Creates a round from the body of POST /admin/v1/rounds. It is `scheduled` until opened. */
  async create(body: unknown): Promise<Changed> {
    const parsed = parseNewRound(body);
    if (!parsed.ok) return parsed;
    const tooLate = this.#checkClosesAt(parsed.value.closesAt);
    if (tooLate !== null) return tooLate;
    if (this.#creations.full) return err(OVERLOADED);
    return this.#creations.run(async () => {
      const { id } = parsed.value;
      if (this.#byId.has(id)) return err({ code: 'round-exists', detail: `A round ${id} exists already.` });
      const number = (this.#list.at(-1)?.number ?? 0) + 1;
      if (number > ROUNDS_MAX) {
        return err({ code: 'rounds-exhausted', detail: `This node holds at most ${ROUNDS_MAX} rounds.` });
      }
      return this.#apply(null, { number, ...parsed.value, state: 'scheduled' }, 'created');
    });
  }

  /** Changes the members that the body of PATCH /admin/v1/rounds/{round} names. Nothing new: nothing is written. */
  async amend(id: string, body: unknown): Promise<Changed> {
    const parsed = parseAmendment(body);
    if (!parsed.ok) return parsed;
    return this.#change(id, async (current) => {
      const next: RoundDefinition = { ...current, ...parsed.value };
      if (sameDefinition(current, next)) return ok(current);
      if (current.state === 'closed') return wrongState(current, 'A closed round can not be changed.');
      if (next.cap < current.cap) return err({ code: 'cap-below', members: { cap: current.cap } });
      if (next.opensAt !== current.opensAt && current.state !== 'scheduled') {
        return wrongState(current, 'opensAt can not be changed once the round has opened.');
      }
      const tooLate = next.closesAt === current.closesAt ? null : this.#checkClosesAt(next.closesAt);
      if (tooLate !== null) return tooLate;
      const related = checkRelations(next);
      return related.ok ? this.#apply(current, next, 'amended') : related;
    });
  }

  /** Opens, pauses, resumes or closes a round; from a state that does not allow it: `wrong-state`. */
  transition(id: string, action: RoundAction): Promise<Changed> {
    return this.#change(id, (current) => this.#transit(current, action));
  }

  async #change(id: string, work: (current: RoundDefinition) => Promise<Changed>): Promise<Changed> {
    const queue = this.#queues.get(id);
    if (queue === undefined) return err({ code: 'round-not-found' });
    if (queue.full) return err(OVERLOADED);
    return this.#enqueue(queue, id, work);
  }

  #enqueue<T>(queue: SerialQueue, id: string, work: (current: RoundDefinition) => Promise<T>): Promise<T> {
    return queue.run(() => {
      const current = this.#byId.get(id);
      assert(current !== undefined, 'a round with a queue is known');
      return work(current);
    });
  }

  async #transit(current: RoundDefinition, action: RoundAction): Promise<Changed> {
    const { from, to, change } = TRANSITIONS[action];
    if (!from.includes(current.state))
      return wrongState(current, `It is ${current.state}: ${action} is not possible.`);
    return this.#apply(current, { ...current, state: to }, change);
  }

  /** A timer's change. It asks again what is due, since the round may have changed while it waited its turn. */
  async #fireTimer(id: string): Promise<void> {
    const queue = this.#queues.get(id);
    assert(queue !== undefined, 'a round with a timer is known');
    try {
      const changed = await this.#enqueue(queue, id, async (current) => {
        const action = dueAction(current, this.#clock.nowMs());
        return action === null ? ok(current) : this.#transit(current, action);
      });
      if (changed.ok) this.#arm(changed.value, 0);
      else this.#retryTimer(id, changed.error);
    } catch (reason) {
      this.#retryTimer(id, reason);
    }
  }

  #retryTimer(id: string, reason: unknown): void {
    this.#onTimerFailure(id, reason);
    const current = this.#byId.get(id);
    if (current !== undefined) this.#arm(current, ROUND_TIMER_RETRY_MS);
  }

  #arm(definition: RoundDefinition, delayMsMin: number): void {
    if (!this.#stopped) this.#timers.arm(definition, delayMsMin);
  }

  /** Makes one change in the order that its kind needs; see the head of this file. */
  async #apply(
    current: RoundDefinition | null,
    next: RoundDefinition,
    change: RoundChange,
  ): Promise<Changed> {
    const narrowed = current === null ? null : narrow(current, next);
    if (narrowed !== null) {
      this.#control.publish(narrowed);
      await this.#control.broadcast(narrowed);
      await this.#control.barrier();
    }
    const written = await this.#control.appendRound(change, next);
    if (!written.ok) {
      if (current !== null && narrowed !== null) {
        await this.#control.broadcast(current);
        this.#control.publish(current);
      }
      return written;
    }
    if (narrowed !== next) await this.#control.broadcast(next);
    this.#adopt(next);
    this.#arm(next, 0);
    return ok(next);
  }

  /** Shared memory and registry change in one turn of the loop, so that no reader sees them apart. */
  #adopt(definition: RoundDefinition): void {
    this.#control.publish(definition);
    if (!this.#queues.has(definition.id))
      this.#queues.set(definition.id, new SerialQueue(ROUND_CHANGES_WAITING_MAX));
    this.#byId.set(definition.id, definition);
    this.#list = [...this.#byId.values()];
  }

  #checkClosesAt(closesAt: number | null): { readonly ok: false; readonly error: Problem } | null {
    if (closesAt === null || closesAt > this.#clock.nowMs()) return null;
    return malformed('/closesAt', 'closesAt must lie in the future');
  }
}

/** What may be published before the change is durable: no more than either definition allows; null if `current`. */
function narrow(current: RoundDefinition, next: RoundDefinition): RoundDefinition | null {
  if (next.state === 'paused' || next.state === 'closed') return next.state === current.state ? null : next;
  const minimum = Math.max(current.minimum, next.minimum);
  const maximum = Math.min(current.maximum, next.maximum);
  if (minimum === current.minimum && maximum === current.maximum) return null;
  return { ...current, minimum, maximum };
}

function sameDefinition(a: RoundDefinition, b: RoundDefinition): boolean {
  return (Object.keys(a) as (keyof RoundDefinition)[]).every((name) => a[name] === b[name]);
}

function wrongState(
  current: RoundDefinition,
  detail: string,
): { readonly ok: false; readonly error: Problem } {
  return err({ code: 'wrong-state', detail, members: { state: current.state } });
}
