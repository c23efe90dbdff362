// `openbell up`: edge and ledger on the embedded engines with a demo round, and nothing else needed.
//
// Both run as child processes, as production runs them. The ledger may die: it is started again, and the edge goes on
// admitting meanwhile. When the edge ends, everything ends with its exit code.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { LEDGER_RESTART_MAX_MS, LEDGER_RESTART_MIN_MS } from '../core/limits.js';
import { err, type Result } from '../core/result.js';
import { lockDir } from '../engines/dir-lock.js';
import { CONFIG_OPTION, JSON_OPTION, readArguments } from './arguments.js';
import { ensureDataDir } from './data-dir.js';
import { type Failure, fail } from './failure.js';
import { serviceConfig } from './load-config.js';
import { createLogger } from './logger.js';
import { printJson } from './output.js';
import { portInUse } from './ports.js';
import { ensureSecret } from './secret.js';
import { type Exit, type Role, SupervisedProcess } from './supervised.js';
import { type Demo, prepareDemo } from './up-demo.js';
import { welcomeText } from './up-welcome.js';

const SPEC = {
  name: 'up',
  positionals: [],
  summary: 'Run edge and ledger with an open demo round; nothing else is needed.',
  options: { ...CONFIG_OPTION, ...JSON_OPTION },
  notes: 'Data goes to OPENBELL_DATA_DIR (./data). SIGTERM or Ctrl-C stops both in order.',
} as const;

const LEDGER_STABLE_MS = 60_000;

export async function upCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const { config: configFile, json } = parsed.value.values;
  const loaded = serviceConfig(configFile, env);
  if (!loaded.ok) return fail(loaded.error);
  const prepared = await prepare(loaded.value);
  if (!prepared.ok) return fail(prepared.error);
  const config = prepared.value;
  const up = new Up({ configFile, env, logger: createLogger('up', config.logLevel) });
  return up.run(async (ports) => {
    const demo = await prepareDemo(withPorts(config, ports));
    if (!demo.ok) return demo;
    if (json === true) printJson(demo.value);
    else process.stdout.write(welcomeText(config, demo.value));
    return demo;
  });
}

/** Takes the data directory for this `up`, makes the secret, and finds taken ports before anybody starts. */
async function prepare(config: Config): Promise<Result<Config, Failure>> {
  const made = ensureDataDir(config);
  if (!made.ok) return made;
  const lock = await lockDir('up', config.dataDir);
  if (!lock.ok) {
    const hint = lock.error.code === 'held' ? ': stop it first, or set OPENBELL_DATA_DIR' : '';
    return err({ message: `${lock.error.message}${hint}`, exitCode: EXIT.tryAgain });
  }
  for (const [host, port, variable] of [
    [config.host, config.port, 'OPENBELL_PORT'],
    [config.adminHost, config.adminPort, 'OPENBELL_ADMIN_PORT'],
    [config.adminHost, config.ledgerPort, 'OPENBELL_LEDGER_PORT'],
  ] as const) {
    const problem = await portInUse(host, port);
    if (problem !== null)
      return err({ message: `${problem}: free it, or set ${variable}`, exitCode: EXIT.tryAgain });
  }
  return ensureSecret(config, true);
}

type Ports = Readonly<Record<string, number>>;

/** The configuration with the ports that were really taken, in case one was 0. */
function withPorts(config: Config, ports: Ports): Config {
  const at = (url: string, port: number | undefined): string => {
    if (port === undefined || new URL(url).port !== '0') return url;
    return url.replace(/:0$/, `:${port}`);
  };
  return {
    ...config,
    port: ports['publicPort'] ?? config.port,
    adminUrl: at(config.adminUrl, ports['adminPort']),
    ledgerUrl: at(config.ledgerUrl, ports['ledgerPort']),
  };
}

interface UpOptions {
  readonly configFile: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly logger: Logger;
}

type Event = { readonly stop: string } | { readonly edgeExit: Exit } | { readonly demoFailure: Failure };

class Up {
  readonly #options: UpOptions;
  /** The one that runs now; null while it waits to be started again. */
  #ledger: SupervisedProcess | null = null;
  #ledgerDown: Promise<void> = Promise.resolve();
  #stopping = false;
  #wake: () => void = () => undefined;

  constructor(options: UpOptions) {
    this.#options = options;
  }

  /** @param onReady what there is to do once both are ready; its failure ends everything */
  async run(onReady: (ports: Ports) => Promise<Result<Demo, Failure>>): Promise<number> {
    const stopRequested = signals();
    const edge = this.#start('edge');
    const firstLedger = this.#start('ledger');
    this.#ledger = firstLedger;
    const events: Promise<Event>[] = [
      stopRequested.then((stop) => ({ stop })),
      edge.exited.then((edgeExit) => ({ edgeExit })),
    ];
    const both = Promise.all([edge.ready, firstLedger.ready]);
    const begun = await Promise.race([...events, both.then((ports) => ({ ports }))]);
    if (!('ports' in begun)) return this.#end(begun, edge);
    const [edgePorts, ledgerPorts] = begun.ports;
    if (ledgerPorts === null || edgePorts === null) {
      // A ledger that cannot even start is a matter of configuration: waiting would not mend it.
      const failed = ledgerPorts === null ? firstLedger : edge;
      return this.#end({ demoFailure: asFailure(failed.role, await failed.exited) }, edge);
    }
    this.#ledgerDown = this.#keepLedger(firstLedger);
    const demo = onReady({ ...edgePorts, ...ledgerPorts });
    const broken = new Promise<Event>((resolve) => {
      void demo.then((result) => result.ok || resolve({ demoFailure: result.error }));
    });
    return this.#end(await Promise.race([...events, broken]), edge);
  }

  /** Starts the ledger again whenever it ends, until this stops. */
  async #keepLedger(first: SupervisedProcess): Promise<void> {
    const { logger } = this.#options;
    let pauseMs = LEDGER_RESTART_MIN_MS;
    let ledger = first;
    while (!this.#stopping) {
      this.#ledger = ledger;
      const startedAtMs = performance.now();
      const { code, message } = await ledger.exited;
      if (this.#stopping) return;
      this.#ledger = null;
      if (performance.now() - startedAtMs > LEDGER_STABLE_MS) pauseMs = LEDGER_RESTART_MIN_MS;
      logger.warn({ code, cause: message, againInMs: pauseMs }, 'the ledger ended; admission goes on');
      await this.#pause(pauseMs);
      if (this.#stopping) return;
      pauseMs = Math.min(LEDGER_RESTART_MAX_MS, pauseMs * 2);
      ledger = this.#start('ledger');
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Edge first, then the ledger, so that the ledger can still take what the edge hands over while it stops. */
  async #end(event: Event, edge: SupervisedProcess): Promise<number> {
    this.#stopping = true;
    this.#wake();
    const { logger } = this.#options;
    if ('stop' in event) logger.info({ reason: event.stop }, 'stopping');
    const edgeExit = await edge.stop();
    const ledgerExit = (await this.#ledger?.stop()) ?? { code: EXIT.done, message: null };
    await this.#ledgerDown;
    if ('demoFailure' in event) return fail(event.demoFailure);
    if ('edgeExit' in event) return fail(asFailure('edge', event.edgeExit));
    const bad = [edgeExit, ledgerExit].find(({ code }) => code !== EXIT.done);
    return bad === undefined ? EXIT.done : fail(asFailure(bad === edgeExit ? 'edge' : 'ledger', bad));
  }

  #start(role: Role): SupervisedProcess {
    return new SupervisedProcess(role, this.#options.configFile, this.#options.env);
  }
}

/** An exit nobody asked for; never code 0. */
function asFailure(role: Role, { code, message }: Exit): Failure {
  const exitCode = (code === EXIT.done ? EXIT.internal : code) as Failure['exitCode'];
  return { message: message ?? `${role} ended with exit code ${code}`, exitCode };
}

function signals(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
}
