// Ownership in etcd: an owner key on a lease that is kept alive, and an epoch that outlives every owner. Both change in
// one transaction, which is made only while nobody owns the role; a nonce in the owner's value tells a transaction that
// was made and whose reply was lost from one that another has made.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { LEASE_WORD_BYTES, LeaseWord } from '../../core/lease-word.js';
import { ETCD_CONFLICTS_MAX } from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import type { AcquireFailure, Owner, Ownership, OwnershipStore, Renewals, Role } from '../ownership.js';
import type { EtcdClient } from './etcd-client.js';
import type { EtcdKeys } from './etcd-keys.js';
import type { Entry, Txn } from './etcd-txn.js';
import { LeaseKeeper } from './lease-keeper.js';

export interface EtcdOwnershipModules {
  readonly client: EtcdClient;
  readonly keys: EtcdKeys;
  /** This node's name. */
  readonly node: string;
  /**
   * Where this process holds the lock of its data directory. An owner of the same place is an earlier process, and
   * the lock says that it is gone: its lease need not be waited for.
   */
  readonly place: string;
  readonly ttlS: number;
  /** Nanoseconds, monotonic. */
  readonly clockNs: () => bigint;
  readonly logger: Logger;
}

interface StoredOwner extends Owner {
  readonly place: string;
  readonly nonce: string;
}

export class EtcdOwnershipStore implements OwnershipStore {
  readonly #modules: EtcdOwnershipModules;

  constructor(modules: EtcdOwnershipModules) {
    this.#modules = modules;
  }

  async acquire(role: Role): Promise<Result<EtcdOwnership, AcquireFailure>> {
    const { client, keys, place, ttlS, clockNs, logger } = this.#modules;
    const seen = await client.read([{ get: keys.owner(role) }, { get: keys.epoch(role) }]);
    if (!seen.ok) return err(seen.error);
    const owner = ownerOf(seen.value[0]?.[0]);
    if (owner !== null) {
      if (owner.place !== place) return err(heldBy(owner));
      logger.info(
        { role, epoch: owner.epoch },
        'ownership: the lease of an earlier process of this node is ended',
      );
      const ended = await client.revoke(seen.value[0]![0]!.lease);
      if (!ended.ok) return err(ended.error);
    }
    // From before the lease was asked for: it begins later than that.
    const sentNs = clockNs();
    const lease = await client.grant(ttlS);
    if (!lease.ok) return err(lease.error);
    const { id } = lease.value;
    const taken = await this.#take(role, id, seen.value[1]?.[0]);
    if (taken.ok) {
      const ownership = new EtcdOwnership(this.#modules, role, id, taken.value);
      if (ownership.begin(sentNs)) return ok(ownership);
    }
    // Also when it is unknown whether it was taken: with the lease the owner key goes.
    void client.revoke(id);
    return taken.ok
      ? err({ code: 'unreachable', message: 'etcd answers more slowly than a lease lasts' })
      : taken;
  }

  async #take(
    role: Role,
    lease: string,
    seenEpoch: Entry | undefined,
  ): Promise<Result<StoredOwner, AcquireFailure>> {
    const { client, keys, node, place } = this.#modules;
    const nonce = randomBytes(9).toString('base64url');
    let epochEntry = seenEpoch;
    for (let attempt = 0; attempt < ETCD_CONFLICTS_MAX; attempt++) {
      const epoch = epochOf(epochEntry);
      if (!Number.isSafeInteger(epoch)) {
        return err({ code: 'refused', message: `${keys.epoch(role)} in etcd is not an epoch` });
      }
      const mine = { node, place, epoch: epoch + 1, nonce, since: new Date().toISOString() };
      const made = await client.txn({
        when: [
          { absent: keys.owner(role) },
          { key: keys.epoch(role), writtenAt: epochEntry?.writtenAt ?? '0' },
        ],
        change: ownerWrites(keys, role, lease, mine),
        otherwise: [{ get: keys.owner(role) }, { get: keys.epoch(role) }],
      });
      if (!made.ok) return err(made.error);
      if (made.value.succeeded) return ok(mine);
      const found = ownerOf(made.value.replies[0]?.[0]);
      if (found?.nonce === nonce) return ok(found);
      if (found !== null) return err(heldBy(found));
      // Another one came and went meanwhile.
      epochEntry = made.value.replies[1]?.[0];
    }
    return err({ code: 'unreachable', message: 'the owner in etcd changes all the time' });
  }
}

export class EtcdOwnership implements Ownership {
  readonly wordMemory = new SharedArrayBuffer(LEASE_WORD_BYTES);
  readonly word = new LeaseWord(this.wordMemory);
  readonly lost: Promise<string>;
  /** For keys that must not outlive the owner. */
  readonly lease: string;
  readonly #modules: EtcdOwnershipModules;
  readonly #role: Role;
  readonly #keeper: LeaseKeeper;
  #owner: StoredOwner;

  constructor(modules: EtcdOwnershipModules, role: Role, lease: string, owner: StoredOwner) {
    this.#modules = modules;
    this.#role = role;
    this.lease = lease;
    this.#owner = owner;
    let lose: (reason: string) => void = () => undefined;
    this.lost = new Promise((resolve) => {
      lose = resolve;
    });
    const { client, ttlS, clockNs, logger } = modules;
    this.#keeper = new LeaseKeeper({
      word: this.word,
      ttlMs: ttlS * 1_000,
      renew: (timeoutMs) => client.keepAlive(lease, { attempts: 1, timeoutMs }),
      onLost: lose,
      clockNs,
      random: Math.random,
      logger,
    });
  }

  get epoch(): number {
    return this.#owner.epoch;
  }

  get renewals(): Renewals {
    return this.#keeper.renewals;
  }

  /** Holds as long as this process is the owner, and nobody else has been since. */
  get stillOwner(): { readonly key: string; readonly value: string } {
    return { key: this.#modules.keys.owner(this.#role), value: ownerText(this.#owner) };
  }

  /** Begins to keep the lease that was asked for at `sentNs`; false when that is too long ago. */
  begin(sentNs: bigint): boolean {
    return this.#keeper.start(sentNs);
  }

  async raiseAbove(floor: number): Promise<Result<void, string>> {
    if (floor < this.epoch) return ok(undefined);
    const { client, keys } = this.#modules;
    const raised: StoredOwner = { ...this.#owner, epoch: floor + 1 };
    const txn: Txn = {
      when: [this.stillOwner],
      change: ownerWrites(keys, this.#role, this.lease, raised),
      otherwise: [{ get: keys.owner(this.#role) }],
    };
    const made = await client.txn(txn);
    if (!made.ok) return err(made.error.message);
    const found = made.value.succeeded ? raised : ownerOf(made.value.replies[0]?.[0]);
    // Its own work, made by a try whose reply was lost.
    if (found?.nonce !== raised.nonce || found.epoch !== raised.epoch) {
      return err('this process is the owner no more');
    }
    this.#owner = raised;
    return ok(undefined);
  }

  async release(): Promise<void> {
    this.#keeper.stop();
    this.word.end();
    const revoked = await this.#modules.client.revoke(this.lease);
    if (revoked.ok) return;
    const { logger, ttlS } = this.#modules;
    logger.warn({ reason: revoked.error.message, ttlS }, 'ownership: not given back; it ends with its lease');
  }
}

function ownerWrites(keys: EtcdKeys, role: Role, lease: string, owner: StoredOwner): Txn['change'] {
  return [
    { put: keys.owner(role), value: ownerText(owner), lease },
    { put: keys.epoch(role), value: String(owner.epoch) },
  ];
}

/** Always the same text for the same owner: transactions compare it byte by byte. */
const ownerText = ({ node, place, epoch, nonce, since }: StoredOwner): string =>
  JSON.stringify({ node, place, epoch, nonce, since });

/** 0 before the first; NaN when it is not one. */
function epochOf(entry: Entry | undefined): number {
  if (entry === undefined) return 0;
  return /^[1-9]\d{0,14}$/.test(entry.value) ? Number.parseInt(entry.value, 10) : Number.NaN;
}

/** What cannot be read belongs to somebody as well. */
function ownerOf(entry: Entry | undefined): StoredOwner | null {
  if (entry === undefined) return null;
  const nobody: StoredOwner = { node: 'unknown', epoch: 0, since: '', place: '', nonce: '' };
  try {
    return { ...nobody, ...(JSON.parse(entry.value) as Partial<StoredOwner>) };
  } catch {
    return nobody;
  }
}

const heldBy = ({ node, epoch, since }: StoredOwner): AcquireFailure => ({
  code: 'held',
  owner: { node, epoch, since },
});
