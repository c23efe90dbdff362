// The rounds' definitions in etcd, and the owner key of each round beside it, on the owner's lease. A definition is
// written only while this process is the owner and over the one that it knows, so a put that comes late can undo nothing.

import { ETCD_CONFLICTS_MAX } from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import { isNewer, type RegistryFailure, type RoundRegistry, type SharedRound } from '../round-registry.js';
import type { EtcdClient } from './etcd-client.js';
import type { EtcdKeys } from './etcd-keys.js';
import type { EtcdOwnership } from './etcd-ownership.js';
import type { Entry } from './etcd-txn.js';

export interface EtcdRoundRegistryModules {
  readonly client: EtcdClient;
  readonly keys: EtcdKeys;
  readonly ownership: EtcdOwnership;
}

export class EtcdRoundRegistry implements RoundRegistry {
  readonly #modules: EtcdRoundRegistryModules;

  constructor(modules: EtcdRoundRegistryModules) {
    this.#modules = modules;
  }

  async list(): Promise<Result<readonly SharedRound[], string>> {
    const { client, keys } = this.#modules;
    const read = await client.read([{ list: keys.rounds }]);
    if (!read.ok) return err(`the rounds cannot be read: ${read.error.message}`);
    try {
      return ok(
        (read.value[0] ?? [])
          .filter(({ key }) => key.endsWith('/definition'))
          .map(({ value }) => JSON.parse(value) as SharedRound),
      );
    } catch (error) {
      return err(`the rounds in etcd are damaged: ${(error as Error).message}`);
    }
  }

  async put(rounds: readonly SharedRound[]): Promise<Result<void, RegistryFailure>> {
    const { client, keys, ownership } = this.#modules;
    if (rounds.length === 0) return ok(undefined);
    const reads = rounds.map(({ definition }) => ({ get: keys.round(definition.id, 'definition') }));
    const read = await client.read(reads);
    if (!read.ok) return err({ code: 'unavailable', message: read.error.message });
    let stored = read.value;
    for (let attempt = 0; attempt < ETCD_CONFLICTS_MAX; attempt++) {
      const wanted = rounds.map((round, at) => ({ round, entry: stored[at]?.[0] }));
      const changed = wanted.filter(({ round, entry }) => isWorthIt(round, entry));
      const made = await client.txn({
        when: [
          ownership.stillOwner,
          ...changed.map(({ round, entry }) => ({
            key: keys.round(round.definition.id, 'definition'),
            writtenAt: entry?.writtenAt ?? '0',
          })),
        ],
        change: [
          ...changed.map(({ round }) => ({
            put: keys.round(round.definition.id, 'definition'),
            value: JSON.stringify(round),
          })),
          ...rounds.map(({ definition }) => ({
            put: keys.round(definition.id, 'owner'),
            value: String(ownership.epoch),
            lease: ownership.lease,
          })),
        ],
        otherwise: [{ get: ownership.stillOwner.key }, ...reads],
      });
      if (!made.ok) return err({ code: 'unavailable', message: made.error.message });
      if (made.value.succeeded) return ok(undefined);
      const [owner, ...found] = made.value.replies;
      if (owner?.[0]?.value !== ownership.stillOwner.value) {
        return err({ code: 'fenced', message: 'this process is the owner of the rounds no more' });
      }
      // Its own work, made by a try whose reply was lost; then nothing is left to do.
      stored = found;
    }
    return err({ code: 'unavailable', message: 'the rounds in etcd change all the time' });
  }
}

/** True unless what is there is as new; what cannot be read is written anew. */
function isWorthIt(round: SharedRound, entry: Entry | undefined): boolean {
  if (entry === undefined) return true;
  try {
    return isNewer(round, JSON.parse(entry.value) as SharedRound);
  } catch {
    return true;
  }
}
