// What a standby has to know of the rounds: their definitions, as the owner journaled them last. The owner's journal is
// the truth; this is a copy that does not die with its disk.

import { err, ok, type Result } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';

export interface SharedRound {
  readonly definition: RoundDefinition;
  /** The journal that made this change, and the sequence of its row there. */
  readonly journalId: string;
  readonly sequence: number;
  /** Of the owner that journaled it. */
  readonly epoch: number;
}

export interface RegistryFailure {
  /** `fenced`: another owner has come since, for good. `unavailable`: may be tried again. */
  readonly code: 'fenced' | 'unavailable';
  readonly message: string;
}

export interface RoundRegistry {
  /** Every round that any owner has shared. */
  list(): Promise<Result<readonly SharedRound[], string>>;
  /** Shares these, all or none; one that is newer already (epoch, then sequence) stays as it is. */
  put(rounds: readonly SharedRound[]): Promise<Result<void, RegistryFailure>>;
}

/** True when `a` was journaled after `b`. */
export const isNewer = (a: SharedRound, b: SharedRound): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);

/** The embedded twin: there is no standby to tell, so it lives as long as the process. */
export class LocalRoundRegistry implements RoundRegistry {
  readonly #rounds = new Map<string, SharedRound>();
  #epoch = 0;

  async list(): Promise<Result<readonly SharedRound[], string>> {
    return ok([...this.#rounds.values()]);
  }

  async put(rounds: readonly SharedRound[]): Promise<Result<void, RegistryFailure>> {
    const older = rounds.find(({ epoch }) => epoch < this.#epoch);
    if (older !== undefined) {
      return err({ code: 'fenced', message: `epoch ${older.epoch} is older than ${this.#epoch}` });
    }
    for (const round of rounds) {
      this.#epoch = Math.max(this.#epoch, round.epoch);
      const stored = this.#rounds.get(round.definition.id);
      if (stored === undefined || isNewer(round, stored)) this.#rounds.set(round.definition.id, round);
    }
    return ok(undefined);
  }
}
