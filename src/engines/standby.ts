// Waits until this process owns a role: at once where nobody else can, else as a standby, for as long as it takes.

import type { Logger } from 'pino';
import { ETCD_START_MS, STANDBY_POLL_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { Coordination, Tenure } from './coordination.js';
import type { AcquireFailure, Role } from './ownership.js';

export interface StandbyModules {
  readonly coordination: Coordination;
  readonly role: Role;
  /** Resolves when the process has been told to stop. */
  readonly stopRequested: Promise<unknown>;
  /** Called each time that the role was not to be had, with why. An error ends the waiting. */
  readonly onWaiting: (why: string) => Promise<Result<void, string>>;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
  readonly logger: Logger;
}

export interface GivenUp {
  /** `stopped`: told to. `unreachable`: nobody ever answered. `refused`: not let in. `failed`: by `onWaiting`. */
  readonly code: 'stopped' | 'unreachable' | 'refused' | 'failed';
  readonly message: string;
}

/** The role, as soon as it is this process's; or why it will not be. */
export async function awaitOwnership(modules: StandbyModules): Promise<Result<Tenure, GivenUp>> {
  const { coordination, role, onWaiting, clock, random, logger } = modules;
  const stopped = modules.stopRequested.then(() => 'stopped' as const);
  const startedMs = clock();
  let hasAnswered = false;
  let said = '';
  // Ends with the role, with a stop, or when nobody has answered for ETCD_START_MS.
  for (;;) {
    const acquired = await coordination.acquire(role);
    if (acquired.ok) {
      if (coordination.isShared) logger.info({ epoch: acquired.value.ownership.epoch }, 'owner');
      return ok(acquired.value);
    }
    const { error } = acquired;
    const why = reasonOf(role, error);
    if (error.code === 'refused') return err({ code: 'refused', message: why });
    hasAnswered ||= error.code === 'held';
    // A standby has seen the cluster at work and waits for as long as it takes; a first start may be misconfigured.
    if (!hasAnswered && clock() - startedMs > ETCD_START_MS) {
      return err({ code: 'unreachable', message: `no answer within ${ETCD_START_MS / 1_000} s: ${why}` });
    }
    if (why !== said) {
      said = why;
      if (error.code === 'held') logger.info({ owner: error.owner }, 'standby');
      else logger.warn({ reason: error.message }, 'standby: nobody can say who the owner is');
    }
    const told = await onWaiting(why);
    if (!told.ok) return err({ code: 'failed', message: told.error });
    const pauseMs = STANDBY_POLL_MS * (0.75 + random() / 2);
    if ((await Promise.race([stopped, after(pauseMs)])) === 'stopped') {
      return err({ code: 'stopped', message: 'stopped while waiting as a standby' });
    }
  }
}

function reasonOf(role: Role, failure: AcquireFailure): string {
  if (failure.code !== 'held') return failure.message;
  const { node, epoch, since } = failure.owner;
  const what = role === 'edge' ? 'the rounds' : 'the books';
  return `standby: node ${node} owns ${what} under epoch ${epoch} since ${since}`;
}

function after(ms: number): Promise<'waited'> {
  return new Promise((resolve) => setTimeout(resolve, ms, 'waited'));
}
