// Tells the other nodes of the cluster how the rounds stand: each change as it has been journaled, the newest of each
// round, until it has been taken. A takeover begins with what the last owner told.

import type { Logger } from 'pino';
import type { InvestmentIds } from '../core/ids.js';
import { ROUND_SHARE_RETRY_MS, ROUND_SHARE_WAIT_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import type { RoundRegistry, SharedRound } from '../engines/round-registry.js';
import type { RoundsService } from './rounds.js';

export interface RoundSharerModules {
  readonly registry: RoundRegistry;
  readonly epoch: number;
  readonly journalId: string;
  /** Another owner has come. Called at most once. */
  readonly onFenced: (reason: string) => void;
  readonly logger: Logger;
}

export class RoundSharer {
  readonly #modules: RoundSharerModules;
  /** What has not been taken yet; at most one per round. */
  readonly #pending = new Map<string, SharedRound>();
  #running: Promise<void> | null = null;
  #stopped = false;
  #wake: () => void = () => undefined;
  #failing = false;

  constructor(modules: RoundSharerModules) {
    this.#modules = modules;
  }

  /**
   * Shares the definition that the row `sequence` has journaled. Resolves when it is shared, or after
   * ROUND_SHARE_WAIT_MS: it goes on being tried, and the journal is the truth all the same.
   */
  async share(definitions: readonly RoundDefinition[], sequence: number): Promise<void> {
    const { epoch, journalId } = this.#modules;
    if (this.#stopped || definitions.length === 0) return;
    for (const definition of definitions)
      this.#pending.set(definition.id, { definition, journalId, sequence, epoch });
    this.#running ??= this.#run();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ROUND_SHARE_WAIT_MS);
    });
    await Promise.race([this.#running, late]);
    clearTimeout(timer);
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { registry, onFenced, logger } = this.#modules;
    while (this.#pending.size > 0 && !this.#stopped) {
      const some = [...this.#pending.values()];
      const put = await registry.put(some);
      if (put.ok) {
        for (const round of some) {
          const { id } = round.definition;
          if (this.#pending.get(id) === round) this.#pending.delete(id);
        }
        this.#failing = false;
        continue;
      }
      if (put.error.code === 'fenced') {
        this.#stopped = true;
        onFenced(`the rounds cannot be shared: ${put.error.message}`);
        break;
      }
      if (!this.#failing) logger.warn({ reason: put.error.message }, 'rounds: not shared yet');
      this.#failing = true;
      await this.#pause();
    }
    this.#running = null;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ROUND_SHARE_RETRY_MS);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/**
 * Journals what the last owner shared and this journal lacks, which only one that was made anew can: changes after its
 * end, and those whose sequence it has given to a row of its own. How many they were, or why the node must not start.
 * @param end of the journal when it was recovered: its last sequence, and which journal each one was decided in
 */
export async function adoptSharedRounds(
  registry: RoundRegistry,
  rounds: RoundsService,
  end: { readonly last: number; readonly ids: Pick<InvestmentIds, 'journalOf'> },
): Promise<Result<number, string>> {
  const listed = await registry.list();
  if (!listed.ok) return listed;
  const missing = listed.value
    .filter(({ journalId, sequence }) => sequence > end.last || end.ids.journalOf(sequence) !== journalId)
    .toSorted((a, b) => a.definition.number - b.definition.number);
  for (const { definition } of missing) {
    const adopted = await rounds.adopt(definition);
    if (!adopted.ok) {
      const { detail, code } = adopted.error;
      return err(`round ${definition.id} of the last owner cannot be taken over: ${detail ?? code}`);
    }
  }
  return ok(missing.length);
}
