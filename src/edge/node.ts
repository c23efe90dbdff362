// The edge node until it runs: the lock of its directory, its claim on the rounds, the journal, recovery. Nothing of that is
// kept when one of them refuses.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, type Result } from '../core/result.js';
import { lockDir } from '../engines/dir-lock.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import { claimRounds } from './claim.js';
import { FatalSwitch } from './fatal-switch.js';
import { prepareJournal, type RebuildRequest } from './rebuild-start.js';
import { guardState } from './rows-guard.js';
import type { EdgeNode } from './running-edge.js';
import { makePlaces, recoverState, type StartFailure } from './start-state.js';

export interface EdgeOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Resolves when the process has been told to stop: a standby stops waiting then. */
  readonly stopRequested: Promise<unknown>;
  /** Undefined: the embedded link to the ledger. */
  readonly nsq?: NsqSettings | undefined;
  /** The journal is built again first; absent: it must be here, or another node's that is taken over. */
  readonly rebuild?: RebuildRequest;
}

/** Starts the node; resolves when it is ready, or with why it cannot be. */
export async function startEdge(options: EdgeOptions): Promise<Result<EdgeNode, StartFailure>> {
  const { config, logger } = options;
  makePlaces(config.dataDir);
  const lock = await lockDir('edge', config.dataDir);
  if (!lock.ok) {
    const exitCode = lock.error.code === 'held' ? EXIT.tryAgain : EXIT.internal;
    return err({ message: lock.error.message, exitCode });
  }
  const claim = await claimRounds(options);
  if (!claim.ok) {
    await lock.value.release();
    return claim;
  }
  const { tenure } = claim.value;
  const letGo = async (): Promise<void> => {
    await claim.value.release();
    await lock.value.release();
  };
  const prepared = await prepareJournal({
    config,
    tenure,
    isShared: claim.value.isShared,
    request: options.rebuild ?? null,
    logger,
  });
  if (!prepared.ok) {
    await letGo();
    return prepared;
  }
  const failure = new FatalSwitch(logger);
  void tenure.ownership.lost.then((reason) => failure.trip(reason, 'fenced'));
  // Loaded while the indexer's thread recovers: that is most of what a start takes on this one.
  const running = import('./running-edge.js');
  // Thrown where it is awaited, not in the middle of a recovery.
  running.catch(() => undefined);
  const state = await recoverState(config, tenure, ({ message }) => failure.trip(message));
  if (!state.ok) {
    await letGo();
    return state;
  }
  const guarded = await guardState(config, logger, state.value);
  if (!guarded.ok) {
    await state.value.indexer.run({ kind: 'close' });
    await state.value.indexer.end();
    await letGo();
    return guarded;
  }
  const { runEdge } = await running;
  return await runEdge({
    ...{ config, logger, nsq: options.nsq, state: state.value, failure },
    ...{ claim: claim.value, lock: lock.value },
  });
}
