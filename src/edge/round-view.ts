// A round as the outside sees it: its definition and the counters of the moment.
//
// Everybody polls this at the opening bell, so its bytes are kept for up to ROUND_VIEW_AGE_MS_MAX. A definition that
// changed is seen at once; only the counters may be that old.

import { ROUND_VIEW_AGE_MS_MAX } from '../core/limits.js';
import type { RoundDefinition, RoundState } from '../core/round.js';
import { formatRfc3339 } from './rfc3339.js';

/** Live sums of one round: money in minor units, investors as a count. */
export interface RoundCounters {
  /** What is admitted and not declined. */
  readonly admitted: number;
  /** Live investments. */
  readonly investors: number;
  readonly settled: number;
}

export interface RoundView {
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  readonly cap: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly state: RoundState | 'full';
  readonly opensAt: string | null;
  readonly closesAt: string | null;
  readonly admitted: number;
  readonly remaining: number;
  readonly investors: number;
  readonly settled: number;
  readonly sequence: number;
  readonly serverTime: string;
}

export interface RoundViewSources {
  /** The registry; `list` answers the same array until a round changes. */
  readonly rounds: { get(id: string): RoundDefinition | undefined; list(): readonly RoundDefinition[] };
  counters(definition: RoundDefinition): RoundCounters;
  /** The newest durable journal sequence. */
  sequence(): number;
  nowMs(): number;
  /** A clock that is never set back: it measures the age of what is kept. */
  monotonicMs(): number;
}

interface Kept<T> {
  readonly of: T;
  readonly atMs: number;
  readonly bytes: Buffer;
}

export class RoundViews {
  readonly #sources: RoundViewSources;
  readonly #kept = new Map<string, Kept<RoundDefinition>>();
  #keptList: Kept<readonly RoundDefinition[]> | null = null;

  constructor(sources: RoundViewSources) {
    this.#sources = sources;
  }

  /** The round as of now, or undefined if there is none. */
  view(id: string): RoundView | undefined {
    const definition = this.#sources.rounds.get(id);
    return definition === undefined ? undefined : this.#viewOf(definition);
  }

  /** All rounds as of now, in order of creation. */
  views(): RoundView[] {
    return this.#sources.rounds.list().map((definition) => this.#viewOf(definition));
  }

  /** The JSON of GET /v1/rounds/{round}; undefined if there is none. Not to be written to. */
  bytes(id: string): Buffer | undefined {
    const definition = this.#sources.rounds.get(id);
    if (definition === undefined) return undefined;
    const kept = this.#kept.get(id);
    if (kept !== undefined && this.#isFresh(kept, definition)) return kept.bytes;
    const made = this.#keep(definition, this.#viewOf(definition));
    this.#kept.set(id, made);
    return made.bytes;
  }

  /** The JSON of GET /v1/rounds. Not to be written to. */
  listBytes(): Buffer {
    const list = this.#sources.rounds.list();
    if (this.#keptList === null || !this.#isFresh(this.#keptList, list)) {
      this.#keptList = this.#keep(list, { rounds: this.views() });
    }
    return this.#keptList.bytes;
  }

  #isFresh<T>(kept: Kept<T>, of: T): boolean {
    return kept.of === of && this.#sources.monotonicMs() - kept.atMs < ROUND_VIEW_AGE_MS_MAX;
  }

  #keep<T>(of: T, view: unknown): Kept<T> {
    return { of, atMs: this.#sources.monotonicMs(), bytes: Buffer.from(JSON.stringify(view), 'utf8') };
  }

  #viewOf(definition: RoundDefinition): RoundView {
    const { admitted, investors, settled } = this.#sources.counters(definition);
    const remaining = definition.cap - admitted;
    return {
      id: definition.id,
      name: definition.name,
      currency: definition.currency,
      cap: definition.cap,
      minimum: definition.minimum,
      maximum: definition.maximum,
      // Full is a state of the moment: not even the smallest investment fits.
      state: definition.state === 'open' && remaining < definition.minimum ? 'full' : definition.state,
      opensAt: formatRfc3339(definition.opensAt),
      closesAt: formatRfc3339(definition.closesAt),
      admitted,
      remaining,
      investors,
      settled,
      sequence: this.#sources.sequence(),
      serverTime: formatRfc3339(this.#sources.nowMs()),
    };
  }
}
