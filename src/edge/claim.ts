// Before anything is recovered: the rounds are this process's, or it waits for them as a standby, with its admin port up.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { openCoordination, type Tenure } from '../engines/coordination.js';
import { awaitOwnership, type GivenUp } from '../engines/standby.js';
import type { AdminServer } from '../http/admin-server.js';
import { startWaitingServer } from '../http/waiting-server.js';
import { monotonicMs } from './clocks.js';
import type { StartFailure } from './start-state.js';

/** The rounds, as long as they are this process's. */
export interface Claim {
  readonly tenure: Tenure;
  /** True when another process may take them over. */
  readonly isShared: boolean;
  /** Lets go of the admin port, if this process has waited: the node is about to listen on it. */
  stopWaiting(): Promise<void>;
  /** The next one may have the rounds, at once. */
  release(): Promise<void>;
}

export interface ClaimOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly stopRequested: Promise<unknown>;
}

const EXIT_OF = {
  stopped: EXIT.done,
  unreachable: EXIT.unavailable,
  refused: EXIT.config,
  failed: EXIT.tryAgain,
} as const satisfies Record<GivenUp['code'], number>;

const METRICS = `# HELP openbell_ready 1 while the node can admit durably, else 0.
# TYPE openbell_ready gauge
openbell_ready 0
# HELP openbell_standby 1 while another node owns the rounds and this one waits for them, else 0.
# TYPE openbell_standby gauge
openbell_standby 1
`;

/** Resolves when the rounds are this process's, or with why they will not be. */
export async function claimRounds(options: ClaimOptions): Promise<Result<Claim, StartFailure>> {
  const { config, logger, stopRequested } = options;
  const opened = await openCoordination(config, logger);
  if (!opened.ok) return err({ message: opened.error, exitCode: EXIT.config });
  const coordination = opened.value;
  let server: AdminServer | null = null;
  let part = { name: 'standby', ready: false, detail: '' };
  const stopWaiting = async (): Promise<void> => {
    await server?.close();
    server = null;
  };
  const owned = await awaitOwnership({
    coordination,
    role: 'edge',
    stopRequested,
    onWaiting: async (detail) => {
      part = { ...part, detail };
      if (server !== null) return ok(undefined);
      const started = await startWaitingServer({
        host: config.adminHost,
        port: config.adminPort,
        readyz: () => ({ ready: false, parts: [part] }),
        metrics: () => METRICS,
        logger,
      });
      if (!started.ok) return started;
      server = started.value;
      logger.info({ adminPort: server.port }, 'standby: the admin port is up');
      return ok(undefined);
    },
    clock: monotonicMs,
    random: Math.random,
    logger,
  });
  if (!owned.ok) {
    await stopWaiting();
    coordination.close();
    return err({ message: owned.error.message, exitCode: EXIT_OF[owned.error.code] });
  }
  part = { name: 'recovery', ready: false, detail: 'the rounds are owned; the journal is being recovered' };
  const tenure = owned.value;
  return ok({
    tenure,
    isShared: coordination.isShared,
    stopWaiting,
    release: async () => {
      await stopWaiting();
      await tenure.ownership.release();
      coordination.close();
    },
  });
}
