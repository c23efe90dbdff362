// Keeps a lease alive, and its holder honest: each confirmed keepalive moves the lease word, counted from the moment the
// keepalive was sent; when none is confirmed for two thirds of the lease, its holder stops by itself, before etcd gives
// what it held to another.

import type { Logger } from 'pino';
import type { LeaseWord } from '../../core/lease-word.js';
import {
  LEASE_FENCE_SHARE,
  LEASE_KEEPALIVE_SHARE,
  LEASE_KEEPALIVES,
  LEASE_RETRY_MS,
} from '../../core/limits.js';
import type { Result } from '../../core/result.js';
import type { Renewals } from '../ownership.js';
import type { LeaseState } from './etcd-client.js';

export interface LeaseKeeperModules {
  readonly word: LeaseWord;
  readonly ttlMs: number;
  /** Sends one keepalive; must end within `timeoutMs`, or little after. */
  readonly renew: (timeoutMs: number) => Promise<Result<LeaseState, { readonly message: string }>>;
  /** Called once, after the word has ended. */
  readonly onLost: (reason: string) => void;
  /** Nanoseconds, monotonic. */
  readonly clockNs: () => bigint;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
  readonly logger: Logger;
}

export class LeaseKeeper {
  readonly #modules: LeaseKeeperModules;
  readonly #fenceNs: bigint;
  #fence: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  #stopped = false;
  #confirmed = 0;
  #failed = 0;
  /** Keepalives that failed in a row: only the first one, and the end of it, are worth a line. */
  #failing = 0;

  constructor(modules: LeaseKeeperModules) {
    this.#modules = modules;
    this.#fenceNs = BigInt(Math.floor(modules.ttlMs * LEASE_FENCE_SHARE)) * 1_000_000n;
  }

  get renewals(): Renewals {
    return { confirmed: this.#confirmed, failed: this.#failed };
  }

  /**
   * Begins with the lease as it was asked for at `sentNs`; false when that is too long ago already.
   * Nothing is kept then.
   */
  start(sentNs: bigint): boolean {
    const { word, clockNs } = this.#modules;
    if (!word.raise(sentNs + this.#fenceNs, clockNs())) return false;
    this.#armFence();
    this.#sendAfter(this.#intervalMs);
    return true;
  }

  /** No keepalive any more; says nothing about the word. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#fence);
    clearTimeout(this.#next);
  }

  get #intervalMs(): number {
    return this.#modules.ttlMs / LEASE_KEEPALIVES;
  }

  #sendAfter(ms: number): void {
    this.#next = setTimeout(() => void this.#send(), ms);
    this.#next.unref();
  }

  async #send(): Promise<void> {
    const { renew, word, ttlMs, clockNs, random, logger } = this.#modules;
    const sentNs = clockNs();
    const renewed = await renew(ttlMs * LEASE_KEEPALIVE_SHARE);
    if (this.#stopped) return;
    if (!renewed.ok) {
      this.#failed++;
      if (this.#failing++ === 0) logger.warn({ reason: renewed.error.message }, 'lease: a keepalive failed');
      this.#sendAfter(LEASE_RETRY_MS * (0.5 + random()));
      return;
    }
    if (renewed.value === 'gone') {
      this.#lose('etcd has ended the lease');
      return;
    }
    if (!word.raise(sentNs + this.#fenceNs, clockNs())) {
      this.#lose(this.#tooLate());
      return;
    }
    this.#confirmed++;
    if (this.#failing > 0) logger.info({ failed: this.#failing }, 'lease: keepalives are confirmed again');
    this.#failing = 0;
    this.#armFence();
    this.#sendAfter(this.#intervalMs);
  }

  #armFence(): void {
    const { word, clockNs } = this.#modules;
    clearTimeout(this.#fence);
    const leftNs = word.leftNs(clockNs()) ?? 0n;
    // A little late is nothing: whoever acts reads the word.
    this.#fence = setTimeout(() => this.#checkFence(), Number(leftNs / 1_000_000n) + 1);
    this.#fence.unref();
  }

  #checkFence(): void {
    const { word, clockNs } = this.#modules;
    if (this.#stopped) return;
    if (word.expired(clockNs())) this.#lose(this.#tooLate());
    else this.#armFence();
  }

  #tooLate(): string {
    return `no keepalive was confirmed within ${Number(this.#fenceNs / 1_000_000n)} ms of its sending`;
  }

  #lose(reason: string): void {
    this.stop();
    this.#modules.word.end();
    this.#modules.onLost(reason);
  }
}
