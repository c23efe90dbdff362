// Before anything is opened: the books are this process's, or it waits for them as a standby, with its admin port up.

import type { Logger } from 'pino';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import type { Coordination, Tenure } from '../engines/coordination.js';
import type { Ownership } from '../engines/ownership.js';
import { awaitOwnership, type GivenUp } from '../engines/standby.js';
import type { AdminServer } from '../http/admin-server.js';
import { startWaitingServer } from '../http/waiting-server.js';
import type { LedgerOptions, LedgerStartFailure } from './main.js';
import type { LedgerStore } from './store.js';

const EXIT_OF = {
  stopped: EXIT.done,
  unreachable: EXIT.unavailable,
  refused: EXIT.config,
  failed: EXIT.tryAgain,
} as const satisfies Record<GivenUp['code'], number>;

const METRICS = `# HELP openbell_ledger_standby 1 while another process owns the books and this one waits for them, else 0.
# TYPE openbell_ledger_standby gauge
openbell_ledger_standby 1
`;

/** Resolves when the books are this process's, or with why they will not be. */
export async function claimBooks(
  options: LedgerOptions,
  coordination: Coordination,
  logger: Logger,
): Promise<Result<Tenure, LedgerStartFailure>> {
  let server: AdminServer | null = null;
  let reason = '';
  const owned = await awaitOwnership({
    coordination,
    role: 'ledger',
    stopRequested: options.stopRequested ?? new Promise(() => undefined),
    onWaiting: async (why) => {
      reason = why;
      if (server !== null) return ok(undefined);
      const started = await startWaitingServer({
        host: options.adminHost,
        port: options.ledgerPort,
        readyz: () => ({ status: 'not-ready', reasons: [reason] }),
        metrics: () => METRICS,
        logger,
      });
      if (!started.ok) return started;
      server = started.value;
      logger.info({ port: server.port }, 'standby: the admin port is up');
      return ok(undefined);
    },
    clock: () => performance.now(),
    random: Math.random,
    logger,
  });
  // Opening the books takes a moment; nobody has to hear anything meanwhile.
  await (server as AdminServer | null)?.close();
  if (owned.ok) return owned;
  return err({ message: owned.error.message, exitCode: EXIT_OF[owned.error.code] });
}

/** Puts the token of this owner into the books, above every one that they have seen; nothing where nobody else may come. */
export async function claimStore(
  store: Pick<LedgerStore, 'fencingToken' | 'claim'>,
  ownership: Ownership,
  isShared: boolean,
): Promise<Result<void, LedgerStartFailure>> {
  if (!isShared) return ok(undefined);
  const raised = await ownership.raiseAbove(await store.fencingToken());
  if (!raised.ok) return err({ exitCode: EXIT.tryAgain, message: raised.error });
  const claimed = await store.claim(ownership.epoch);
  return claimed.ok ? claimed : err({ exitCode: EXIT.tryAgain, message: claimed.error.message });
}
