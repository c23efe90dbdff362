// Runs one long-lived process, edge or ledger: start, ready, wait for a signal or a failure, stop in order.
//
// Under `openbell up` (--supervised) it tells its parent over the IPC channel when it is ready or has failed, leaves
// SIGINT and SIGHUP to the parent, who gets them from the same terminal and stops everybody in order, and ends when
// the channel closes: an orphan would hold the data directory.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT, type ExitCode } from '../core/exit-codes.js';
import { STOP_DEADLINE_MS } from '../core/limits.js';
import type { Result } from '../core/result.js';
import { CONFIG_OPTION, type CommandSpec, type OptionSpecs, readArguments } from './arguments.js';
import { ensureDataDir } from './data-dir.js';
import { type Failure, fail } from './failure.js';
import { serviceConfig } from './load-config.js';
import { createLogger } from './logger.js';
import { ensureSecret } from './secret.js';

/** What `openbell edge` and `openbell ledger` start. */
export interface Service {
  /** Stops accepting, finishes what is in flight, flushes. */
  stop(): Promise<void>;
  /** Settles when it cannot go on; never if it can. */
  readonly failed: Promise<{ readonly message: string; readonly exitCode: number }>;
}

/** What a supervised process tells its parent. */
export type ServiceMessage =
  | { readonly type: 'ready'; readonly ports: Readonly<Record<string, number>> }
  | { readonly type: 'failed'; readonly message: string };

/** Values of a process's own options, by their names. */
export type OwnValues = Readonly<Record<string, string | boolean | undefined>>;

export interface ServiceKind<S extends Service> {
  readonly role: 'edge' | 'ledger';
  readonly summary: string;
  /** What this process takes beside the options of both; `read` comes before `start`, and says what is wrong. */
  readonly own?: { readonly options: OptionSpecs; readonly read: (values: OwnValues) => Failure | null };
  /** `stopRequested` resolves when the process has been told to stop; a start that then gives up exits with 0. */
  readonly start: (
    config: Config,
    logger: Logger,
    stopRequested: Promise<string>,
  ) => Promise<Result<S, { message: string; exitCode: number }>>;
  /** The ports that it listens on, by their part: the ready line names them. */
  readonly ports: (service: S) => Readonly<Record<string, number>>;
}

const OPTIONS = {
  ...CONFIG_OPTION,
  supervised: { type: 'boolean', help: 'started by "openbell up": end when the parent ends' },
} as const satisfies OptionSpecs;

/** The command of one process, from its arguments to its exit code. */
export async function serviceCommand<S extends Service>(
  kind: ServiceKind<S>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const { role, summary } = kind;
  const options = { ...kind.own?.options, ...OPTIONS };
  const spec: CommandSpec<typeof OPTIONS> = { name: role, positionals: [], summary, options };
  const parsed = readArguments(argv, spec);
  if (!parsed.ok) return parsed.error;
  const wrong = kind.own?.read(parsed.value.values as OwnValues) ?? null;
  if (wrong !== null) return fail(wrong);
  const isSupervised = parsed.value.values.supervised === true && process.send !== undefined;
  const config = serviceConfig(parsed.value.values.config, env);
  const secured = config.ok ? ensureSecret(config.value, false) : config;
  if (!secured.ok) return await report(secured.error, isSupervised);
  const made = ensureDataDir(secured.value);
  if (!made.ok) return await report(made.error, isSupervised);
  const stopRequested = listenForStop(isSupervised);
  return run(kind, secured.value, stopRequested, isSupervised);
}

async function run<S extends Service>(
  kind: ServiceKind<S>,
  config: Config,
  stopRequested: Promise<string>,
  isSupervised: boolean,
): Promise<number> {
  // What is made here is this user's alone, also when a copy or a restore loses the directory around it.
  process.umask(0o077);
  const logger = createLogger(kind.role, config.logLevel);
  const started = await kind.start(config, logger, stopRequested);
  if (!started.ok && started.error.exitCode === EXIT.done) {
    logger.info({ reason: started.error.message }, 'stopped');
    return EXIT.done;
  }
  if (!started.ok) return report(started.error as Failure, isSupervised);
  const service = started.value;
  const ports = kind.ports(service);
  logger.info({ ...ports, dataDir: config.dataDir }, 'ready');
  await tell(isSupervised, { type: 'ready', ports });

  const failed = service.failed.then((failure) => ({ failure }));
  const first = await Promise.race([failed, stopRequested.then((reason) => ({ reason }))]);
  if ('failure' in first) return report(first.failure as Failure, isSupervised);
  logger.info({ reason: first.reason }, 'stopping');
  const deadline = new Promise<'late'>((resolve) => setTimeout(resolve, STOP_DEADLINE_MS, 'late').unref());
  const last = await Promise.race([service.stop().then(() => 'stopped' as const), failed, deadline]);
  if (last === 'late') {
    return fail({
      message: `${kind.role} did not stop within ${STOP_DEADLINE_MS} ms`,
      exitCode: EXIT.internal,
    });
  }
  if (last !== 'stopped') return report(last.failure as Failure, isSupervised);
  logger.info('stopped');
  return EXIT.done;
}

/** Resolves, to its reason, at the first request to stop; later ones change nothing. */
function listenForStop(isSupervised: boolean): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (signal === 'SIGTERM' || !isSupervised) resolve(signal);
      });
    }
    if (isSupervised) process.on('disconnect', () => resolve('the parent process ended'));
  });
}

/** The failure as one line, by the parent if there is one, else here. */
async function report(failure: Failure, isSupervised: boolean): Promise<ExitCode> {
  if (!isSupervised || !process.connected) return fail(failure);
  await tell(isSupervised, { type: 'failed', message: failure.message });
  return failure.exitCode;
}

/** Resolves when the message is on its way: an exit must not overtake it. */
async function tell(isSupervised: boolean, message: ServiceMessage): Promise<void> {
  if (!isSupervised || !process.connected) return;
  await new Promise<void>((resolve) => process.send?.(message, undefined, {}, () => resolve()));
}
