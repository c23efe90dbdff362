// `openbell ledger`: the process that settles what the edge admitted, as production runs it.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { nsqSettingsOf } from '../engines/bus-of.js';
import { cassandraClient, endClient } from '../engines/cassandra/client.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import { openCoordination } from '../engines/coordination.js';
import { tokenOptions } from '../http/token-options.js';
import { openCassandraLedgerStore } from '../ledger/cassandra-store.js';
import { type OpenStore, startLedger } from '../ledger/main.js';
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
  const nsq = nsqSettingsOf(config);
  if (!nsq.ok) return err({ message: nsq.error, exitCode: EXIT.config });
  const openStore = ledgerStoreOf(config, logger);
  if (!openStore.ok) return openStore;
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
    nsq: nsq.value,
    stopRequested,
    ...(openStore.value === null ? {} : { openStore: openStore.value }),
  };
  const started = await startLedger(options, logger);
  if (!started.ok) {
    coordination.value.close();
    return started;
  }
  const ledger = started.value;
  return ok({ port: ledger.adminPort, stop: () => ledger.stop(), failed: ledger.failed });
}

/** How the books are opened where the configuration says Cassandra; null: in the data directory. */
function ledgerStoreOf(config: Config, logger: Logger): Result<OpenStore | null, Failure> {
  if (config.ledgerStore === 'lmdb') return ok(null);
  const cassandra = cassandraOptions(config);
  if (!cassandra.ok) return err({ message: cassandra.error, exitCode: EXIT.config });
  return ok(async () => {
    // The books say of each request whether it may be repeated.
    const client = cassandraClient(cassandra.value, 'decisions');
    const opened = await openCassandraLedgerStore({ client, logger, nowMs: Date.now });
    if (opened.ok) return opened;
    await endClient(client);
    const { message, isFatal } = opened.error;
    return err({ message, exitCode: isFatal ? EXIT.checkFailed : EXIT.unavailable });
  });
}
