// The ledger process: starts its parts in order, stops them in the reverse one. Whoever starts it turns the result
// into exit codes.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { must } from '../core/assert.js';
import { EXIT, type ExitCode } from '../core/exit-codes.js';
import { LINK_WINDOW_MESSAGES } from '../core/limits.js';
import { TOPICS } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import { type TokenOptions, TokenVerifier } from '../core/token.js';
import type { Bus } from '../engines/bus.js';
import { ledgerBus } from '../engines/bus-of.js';
import { type Coordination, localCoordination, type Tenure } from '../engines/coordination.js';
import { DeadLetters } from '../engines/dead-letters.js';
import { type DirLock, lockDir } from '../engines/dir-lock.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import { RepeatingPublisher } from '../engines/repeating-publisher.js';
import { adminAuthorizer } from '../http/admin-auth.js';
import { type AdminServer, createAdminServer } from '../http/admin-server.js';
import { ledgerAdminRoutes } from './admin-routes.js';
import { BalanceSender } from './balance-sender.js';
import { claimBooks, claimStore } from './claim.js';
import { openLmdbLedgerStore } from './lmdb-store.js';
import { lockedSettle } from './locked-settle.js';
import { LedgerMetrics } from './metrics.js';
import { Processor } from './processor.js';
import { Quarantine } from './quarantine.js';
import { quarantinedSettle, quarantineGate } from './quarantined-settle.js';
import type { LedgerStore, StoreFailure } from './store.js';
import { TokenBucket } from './token-bucket.js';

export interface LedgerOptions {
  /** The node's data directory; the books are in `ledger` inside. */
  readonly dataDir: string;
  readonly adminHost: string;
  /** 0: any free one. */
  readonly ledgerPort: number;
  /** Investments a second; 0: no limit. */
  readonly ratePerS: number;
  readonly token: TokenOptions;
  /** Opens the books; absent: in LMDB, in the data directory. */
  readonly openStore?: OpenStore;
  /** Who the books belong to; absent: to this machine, by the lock of its data directory. */
  readonly coordination?: Coordination;
  /** Resolves when the process has been told to stop: a standby stops waiting then. */
  readonly stopRequested?: Promise<unknown>;
  /** Undefined: the embedded link to the edge. */
  readonly nsq?: NsqSettings | undefined;
}

/** Opens the ledger's books. */
export type OpenStore = () => Promise<Result<LedgerStore, LedgerStartFailure>>;

/** Why it cannot start, or go on. */
export interface LedgerStartFailure {
  /** What the process should exit with. */
  readonly exitCode: ExitCode;
  readonly message: string;
}

export interface RunningLedger {
  readonly adminPort: number;
  /** Resolves when the ledger can no longer go on. */
  readonly failed: Promise<LedgerStartFailure>;
  /** Not ready; the group in work is finished and handed over; the rest goes back to the sender; everything closed. */
  stop(): Promise<void>;
}

/** Starts the ledger; when it resolves it is ready. Every failure is a value with an exit code. */
export async function startLedger(
  options: LedgerOptions,
  logger: Logger,
): Promise<Result<RunningLedger, LedgerStartFailure>> {
  const directory = join(options.dataDir, 'ledger');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    return err({ exitCode: EXIT.config, message: `cannot make ${directory}: ${(error as Error).message}` });
  }
  const lock = await lockDir('ledger', options.dataDir);
  if (!lock.ok) {
    const exitCode = lock.error.code === 'held' ? EXIT.tryAgain : EXIT.unavailable;
    return err({ exitCode, message: lock.error.message });
  }
  const started = await startOwned(options, directory, lock.value, logger);
  if (!started.ok) await lock.value.release();
  return started;
}

/** Waits until the books are this process's, then starts everything that their owner starts. */
async function startOwned(
  options: LedgerOptions,
  directory: string,
  lock: DirLock,
  logger: Logger,
): Promise<Result<RunningLedger, LedgerStartFailure>> {
  const coordination = options.coordination ?? localCoordination();
  const claimed = await claimBooks(options, coordination, logger);
  if (!claimed.ok) return claimed;
  const { ownership } = claimed.value;
  const release = async (): Promise<void> => {
    await ownership.release();
    coordination.close();
    await lock.release();
  };
  const owned = { tenure: claimed.value, isShared: coordination.isShared, release };
  const started = await startLocked(options, directory, owned, logger);
  if (!started.ok) await ownership.release();
  return started;
}

/** The books are this process's. */
interface Owned {
  readonly tenure: Tenure;
  /** True when another process may take them over. */
  readonly isShared: boolean;
  release(): Promise<void>;
}

/** Starts everything that the owner starts. */
async function startLocked(
  options: LedgerOptions,
  directory: string,
  owned: Owned,
  logger: Logger,
): Promise<Result<RunningLedger, LedgerStartFailure>> {
  const store = await (options.openStore ?? lmdbStore(directory))();
  if (!store.ok) return store;
  const claimed = await claimStore(store.value, owned.tenure.ownership, owned.isShared);
  if (!claimed.ok) {
    await store.value.close();
    return claimed;
  }
  const bus = await ledgerBus(options.dataDir, options.nsq, logger);
  if (!bus.ok) {
    await store.value.close();
    return err({ exitCode: EXIT.unavailable, message: bus.error });
  }
  const quarantine = new Quarantine({ directory, logger, nowMs: Date.now });
  const ledger = new Ledger(options, { store: store.value, bus: bus.value, quarantine, owned, logger });
  const listening = await ledger.listen();
  if (!listening.ok) {
    quarantine.close();
    await bus.value.close();
    await store.value.close();
    return err({ exitCode: EXIT.tryAgain, message: listening.error });
  }
  ledger.open();
  logger.info({ port: ledger.adminPort, ratePerS: options.ratePerS }, 'ledger: ready');
  return ok(ledger);
}

const lmdbStore = (directory: string): OpenStore => {
  return async () => {
    const store = openLmdbLedgerStore(directory, Date.now);
    return store.ok ? store : err({ exitCode: EXIT.checkFailed, message: store.error });
  };
};

interface LedgerModules {
  readonly store: LedgerStore;
  readonly bus: Bus;
  readonly quarantine: Quarantine;
  readonly owned: Owned;
  readonly logger: Logger;
}

/** The parts of a ledger, and their order. */
class Ledger implements RunningLedger {
  readonly failed: Promise<LedgerStartFailure>;
  readonly #options: LedgerOptions;
  readonly #modules: LedgerModules;
  readonly #metrics = new LedgerMetrics();
  readonly #deadLetters: DeadLetters;
  readonly #processor: Processor;
  readonly #repeating: RepeatingPublisher;
  readonly #balances: BalanceSender;
  #admin: AdminServer | null = null;
  #phase: 'starting' | 'open' | 'stopping' | 'failed' = 'starting';
  #stopped: Promise<void> | null = null;

  constructor(options: LedgerOptions, modules: LedgerModules) {
    this.#options = options;
    this.#modules = modules;
    const { store, bus, quarantine, owned, logger } = modules;
    const { ownership, locks } = owned.tenure;
    let onFatal: ((failure: StoreFailure) => void) | undefined;
    this.failed = new Promise((resolve) => {
      onFatal = ({ message, isFenced }) => {
        if (this.#phase === 'failed') return;
        this.#phase = 'failed';
        logger.fatal({ problem: message }, isFenced ? 'ledger: fenced' : 'ledger: cannot go on');
        resolve({ message, exitCode: isFenced ? EXIT.tryAgain : EXIT.internal });
      };
    });
    const fatal = must(onFatal, 'onFatal');
    void store.failed.then(fatal);
    void ownership.lost.then((reason) =>
      fatal({ message: `fenced: ${reason}`, isFatal: true, isFenced: true }),
    );
    const owns = (): boolean => !ownership.word.expired(process.hrtime.bigint());
    this.#deadLetters = new DeadLetters({ bus, logger, nowMs: Date.now });
    this.#processor = new Processor({
      store: quarantinedSettle(lockedSettle({ store, locks, owns }), quarantine),
      publisher: bus,
      deadLetters: this.#deadLetters,
      bucket: new TokenBucket(options.ratePerS, () => performance.now()),
      metrics: this.#metrics,
      logger,
      nowMs: Date.now,
      onFatal: fatal,
    });
    this.#repeating = new RepeatingPublisher({ bus, logger, clock: () => performance.now() });
    this.#balances = new BalanceSender({ store, publisher: this.#repeating, logger, onFatal: fatal });
  }

  get adminPort(): number {
    return this.#admin?.port ?? 0;
  }

  async listen(): Promise<Result<void, string>> {
    const routes = ledgerAdminRoutes({
      store: this.#modules.store,
      metrics: this.#metrics,
      quarantine: this.#modules.quarantine,
      backlogByRound: () => this.#processor.backlogByRound(),
      unready: () => this.#unready(),
      onBalancesQueued: () => this.#balances.kick(),
    });
    const server = await createAdminServer({
      host: this.#options.adminHost,
      port: this.#options.ledgerPort,
      authorize: adminAuthorizer(new TokenVerifier(this.#options.token), Date.now),
      routes,
      logger: this.#modules.logger,
    });
    if (!server.ok) return server;
    this.#admin = server.value;
    return ok(undefined);
  }

  /** Begins to take messages. */
  open(): void {
    const { store, bus, quarantine } = this.#modules;
    const deadLetters = this.#deadLetters;
    this.#metrics.watch({
      backlog: () => this.#processor.backlog,
      lagS: () => this.#processor.lagS(),
      bus,
      deadLetters,
      quarantined: () => quarantine.size,
      // A gauge without a value, rather than a wrong one, while the store is away.
      balancesQueued: async () => {
        const totals = await store.totals();
        return totals.ok ? totals.value.balancesQueued : Number.NaN;
      },
    });
    const accept = this.#processor.accept.bind(this.#processor);
    const handler = quarantineGate({ quarantine, deadLetters, metrics: this.#metrics, accept });
    bus.subscribe(TOPICS.investments, handler, { maxInFlight: LINK_WINDOW_MESSAGES });
    this.#balances.kick();
    this.#phase = 'open';
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { store, bus, quarantine, owned, logger } = this.#modules;
    if (this.#phase !== 'failed') this.#phase = 'stopping';
    await this.#processor.stop();
    quarantine.close();
    await this.#admin?.close();
    // The bus before the balances: a batch that is on its way ends with it, and stays in the outbox.
    this.#repeating.close();
    await bus.close();
    await this.#balances.stop();
    await store.close();
    await owned.release();
    this.#metrics.stop();
    logger.info('ledger: stopped');
  }

  #unready(): readonly string[] {
    return this.#phase === 'open' ? [] : [this.#phase];
  }
}
