// How processes of one cluster agree on who acts: etcd where it is configured, else what one machine has by itself.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { ok, type Result } from '../core/result.js';
import { type InvestorLocks, LocalInvestorLocks } from './locks.js';
import { type AcquireFailure, LocalOwnershipStore, type Ownership, type Role } from './ownership.js';
import { LocalRoundRegistry, type RoundRegistry } from './round-registry.js';
import type { WatermarkStore } from './watermark.js';

/** A role that this process owns, and what only its owner may use. */
export interface Tenure {
  readonly ownership: Ownership;
  /** The watermark that does not die with this machine; null: there is only the local one. */
  readonly watermark: WatermarkStore | null;
  readonly rounds: RoundRegistry;
  readonly locks: InvestorLocks;
}

export interface Coordination {
  /** True when there may be other processes: somebody else may own the role, and take it over. */
  readonly isShared: boolean;
  /** Takes the role if it is free. The caller holds the lock of the role on its data directory. */
  acquire(role: Role): Promise<Result<Tenure, AcquireFailure>>;
  /** After the release of what was acquired. */
  close(): void;
}

/** On one machine: the lock of the data directory keeps everybody else out. */
export function localCoordination(): Coordination {
  const store = new LocalOwnershipStore();
  return {
    isShared: false,
    acquire: async (role) => {
      const acquired = await store.acquire(role);
      if (!acquired.ok) return acquired;
      return ok({
        ownership: acquired.value,
        watermark: null,
        rounds: new LocalRoundRegistry(),
        locks: new LocalInvestorLocks(),
      });
    },
    close: () => undefined,
  };
}

/** What the configuration asks for; an error is a matter of the configuration. */
export async function openCoordination(
  config: Config,
  logger: Logger,
): Promise<Result<Coordination, string>> {
  if (config.etcd.length === 0) return ok(localCoordination());
  // Loaded only where it is used: the client is large.
  const { openEtcdCoordination } = await import('./etcd/etcd-coordination.js');
  return openEtcdCoordination(config, logger);
}
