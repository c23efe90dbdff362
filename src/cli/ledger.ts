// `openbell ledger`: the process that settles what the edge admitted, as production runs it.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { openCoordination } from '../engines/coordination.js';
import { tokenOptions } from '../http/token-options.js';
import { startLedger } from '../ledger/main.js';
import type { Failure } from './failure.js';
import { type Service, serviceCommand } from './service.js';

export async function ledgerCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return serviceCommand(
    {
      role: 'ledger',
      summary: 'Run the process that settles accepted investments at the pace of the bank.',
      start,
      ports: ({ port }) => ({ ledgerPort: port }),
    },
    argv,
    env,
  );
}

async function start(
  config: Config,
  logger: Logger,
  stopRequested: Promise<string>,
): Promise<Result<Service & { port: number }, Failure>> {
  const token = tokenOptions(config);
  if (!token.ok) return err({ message: token.error, exitCode: EXIT.config });
  const coordination = await openCoordination(config, logger);
  if (!coordination.ok) return err({ message: coordination.error, exitCode: EXIT.config });
  const { dataDir, adminHost, ledgerPort, ledgerRatePerS: ratePerS } = config;
  const options = {
    dataDir,
    adminHost,
    ledgerPort,
    ratePerS,
    token: token.value,
    coordination: coordination.value,
    stopRequested,
  };
  const started = await startLedger(options, logger);
  if (!started.ok) {
    coordination.value.close();
    return started;
  }
  const ledger = started.value;
  return ok({ port: ledger.adminPort, stop: () => ledger.stop(), failed: ledger.failed });
}
