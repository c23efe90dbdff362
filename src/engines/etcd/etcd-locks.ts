// Locks on investors in etcd: one key each, on the ledger's lease, a whole group in one transaction as far as etcd's bound
// on its size allows. They are taken only while this process owns the books, and end with its lease.
//
// A key's value is the nonce of the process and the number of the group. Within the process groups are kept apart in
// memory; so a key with our nonce that is found in the way is one that a lost reply left behind, and is taken over.

import { randomBytes } from 'node:crypto';
import { ETCD_CONFLICTS_MAX, ETCD_LOCKS_PER_TXN } from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import { type HeldLocks, type InvestorLocks, LocalInvestorLocks, type LockFailure } from '../locks.js';
import type { EtcdClient } from './etcd-client.js';
import type { EtcdKeys } from './etcd-keys.js';
import type { EtcdOwnership } from './etcd-ownership.js';
import type { Condition } from './etcd-txn.js';

export interface EtcdLockModules {
  readonly client: EtcdClient;
  readonly keys: EtcdKeys;
  readonly ownership: EtcdOwnership;
}

export class EtcdInvestorLocks implements InvestorLocks {
  readonly #modules: EtcdLockModules;
  readonly #inProcess = new LocalInvestorLocks();
  readonly #nonce = randomBytes(9).toString('base64url');
  #groups = 0;

  constructor(modules: EtcdLockModules) {
    this.#modules = modules;
  }

  async acquire(investors: readonly string[]): Promise<Result<HeldLocks, LockFailure>> {
    const own = await this.#inProcess.acquire(investors);
    if (!own.ok) return own;
    const tag = `${this.#nonce}.${++this.#groups}`;
    const chunks = chunksOf([...new Set(investors)]);
    const release = async (): Promise<void> => {
      for (const chunk of chunks) await this.#release(chunk, tag);
      await own.value.release();
    };
    for (const chunk of chunks) {
      const taken = await this.#take(chunk, tag);
      if (taken.ok) continue;
      await release();
      return taken;
    }
    return ok({ release });
  }

  async #take(investors: readonly string[], tag: string): Promise<Result<void, LockFailure>> {
    const { client, keys, ownership } = this.#modules;
    const names = investors.map((investor) => keys.investor(investor));
    let found: readonly (string | undefined)[] = [];
    for (let attempt = 0; attempt < ETCD_CONFLICTS_MAX; attempt++) {
      const made = await client.txn({
        when: [ownership.stillOwner, ...names.map((key, at) => isStill(key, found[at]))],
        change: names.map((put) => ({ put, value: tag, lease: ownership.lease })),
        otherwise: [{ get: ownership.stillOwner.key }, ...names.map((get) => ({ get }))],
      });
      if (!made.ok) return err({ code: 'unreachable', message: made.error.message });
      if (made.value.succeeded) return ok(undefined);
      const [owner, ...locks] = made.value.replies.map((reply) => reply[0]?.value);
      if (owner !== ownership.stillOwner.value) {
        return err({ code: 'lost', message: 'this process owns the books no more' });
      }
      const held = investors.filter((_, at) => !(locks[at] ?? this.#nonce).startsWith(this.#nonce));
      if (held.length > 0) return err({ code: 'held', investors: held });
      // Made by a try whose reply was lost.
      if (locks.every((value) => value === tag)) return ok(undefined);
      found = locks;
    }
    return err({ code: 'unreachable', message: 'the locks in etcd change all the time' });
  }

  /** Removes the keys of this group, and of no other: one that comes late finds a newer tag. */
  async #release(investors: readonly string[], tag: string): Promise<void> {
    const { client, keys } = this.#modules;
    let names = investors.map((investor) => keys.investor(investor));
    for (let attempt = 0; attempt < ETCD_CONFLICTS_MAX && names.length > 0; attempt++) {
      const made = await client.txn({
        when: names.map((key) => ({ key, value: tag })),
        change: names.map((remove) => ({ remove })),
        otherwise: names.map((get) => ({ get })),
      });
      // Unknown: the next group that wants them takes them over, or the lease ends.
      if (!made.ok || made.value.succeeded) return;
      const { replies } = made.value;
      names = names.filter((_, at) => replies[at]?.[0]?.value === tag);
    }
  }
}

const isStill = (key: string, value: string | undefined): Condition =>
  value === undefined ? { absent: key } : { key, value };

function chunksOf(investors: readonly string[]): string[][] {
  const chunks: string[][] = [];
  for (let at = 0; at < investors.length; at += ETCD_LOCKS_PER_TXN) {
    chunks.push(investors.slice(at, at + ETCD_LOCKS_PER_TXN));
  }
  return chunks;
}
