// Who may act: one process at a time owns a role of the cluster, under an epoch (a fencing token) that grows with every
// change of owner. Its embedded twin is the lock of the data directory, which the kernel frees when its holder dies.
//
// Ownership alone does not stop a process that was paused and goes on. Three things do: the owner asks its lease word
// before it acts and before it answers, and what it writes to (watermark, ledger, rows) refuses an older epoch.

import { LEASE_WORD_BYTES, LeaseWord } from '../core/lease-word.js';
import { ok, type Result } from '../core/result.js';

/** What can be owned: all the rounds of a cluster, or its books. */
export type Role = 'edge' | 'ledger';

export interface Owner {
  /** Name of the node that owns the role. */
  readonly node: string;
  readonly epoch: number;
  /** RFC 3339. */
  readonly since: string;
}

export type AcquireFailure =
  /** Another process owns it; the epoch is not taken. */
  | { readonly code: 'held'; readonly owner: Owner }
  /** Nobody can say who owns it. It may be tried again. */
  | { readonly code: 'unreachable'; readonly message: string }
  /** The service does not let this process in: wrong user, password or certificate. */
  | { readonly code: 'refused'; readonly message: string };

export interface Renewals {
  readonly confirmed: number;
  readonly failed: number;
}

export interface Ownership {
  /** The fencing token: every change that is made as the owner carries it. */
  readonly epoch: number;
  /** Read by every thread before it acts: see core/lease-word.ts. */
  readonly word: LeaseWord;
  readonly wordMemory: SharedArrayBuffer;
  /** Resolves, once, with why this process is the owner no more; the word has ended by then. Not after `release`. */
  readonly lost: Promise<string>;
  /** Keepalives since the start, for the metrics. */
  readonly renewals: Renewals;
  /** Makes the epoch larger than `floor`, the highest one that was seen elsewhere. Before anything is done under it. */
  raiseAbove(floor: number): Promise<Result<void, string>>;
  /** The next one may have it, at once. Nothing may be done as the owner after this. */
  release(): Promise<void>;
}

export interface OwnershipStore {
  /** Takes the role if it is free; does not wait. */
  acquire(role: Role): Promise<Result<Ownership, AcquireFailure>>;
}

/**
 * The embedded twin: the caller holds the lock of the data directory, so there is nobody else. The epoch starts at 1
 * and is raised above what the watermark file remembers.
 */
export class LocalOwnershipStore implements OwnershipStore {
  async acquire(_role: Role): Promise<Result<Ownership, AcquireFailure>> {
    return ok(new LocalOwnership());
  }
}

class LocalOwnership implements Ownership {
  readonly wordMemory = new SharedArrayBuffer(LEASE_WORD_BYTES);
  readonly word = new LeaseWord(this.wordMemory);
  readonly lost = new Promise<string>(() => undefined);
  readonly renewals: Renewals = { confirmed: 0, failed: 0 };
  #epoch = 1;

  constructor() {
    this.word.hold();
  }

  get epoch(): number {
    return this.#epoch;
  }

  async raiseAbove(floor: number): Promise<Result<void, string>> {
    this.#epoch = Math.max(this.#epoch, floor + 1);
    return ok(undefined);
  }

  async release(): Promise<void> {
    this.word.end();
  }
}
