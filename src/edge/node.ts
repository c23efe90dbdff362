// The edge node: recovery first, then the threads, then the ports, and the tails last. A stop goes the other way.
// Whatever ends admission for good ends the process, in order: restart is the recovery path.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { EDGE_DRAIN_MS, UPKEEP_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import { CassandraRowStore } from '../engines/cassandra/row-store.js';
import { type DirLock, lockDir } from '../engines/dir-lock.js';
import { FileWatermarkStore } from '../engines/watermark.js';
import type { AdminServer } from '../http/admin-server.js';
import { monotonicMs, nowMs } from './clocks.js';
import { FatalSwitch } from './fatal-switch.js';
import { VERSION } from './metric-sources.js';
import { startNodeAdmin } from './node-admin.js';
import { makeParts, type NodeParts } from './node-parts.js';
import { openapiJson } from './openapi.js';
import { type PublicServer, startPublicServer } from './public-server.js';
import { type RebuildRequest, rebuildForStart } from './rebuild-start.js';
import { guardRows } from './rows-guard.js';
import { makePlaces, recoverState, type StartFailure, type StartState } from './start-state.js';
import type { Readiness, ReadinessPart } from './status.js';

export interface EdgeNode {
  readonly publicPort: number;
  readonly adminPort: number;
  /** Not ready, no new connections, what is in flight is finished, everything is flushed. */
  stop(): Promise<void>;
  /** Settles when admission has ended for good and the grace for clients is over; never otherwise. */
  readonly failed: Promise<StartFailure>;
}

export interface EdgeOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** The journal is built again first; absent: it must be there. */
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
  if (options.rebuild !== undefined) {
    const places = makePlaces(config.dataDir);
    const rebuilt = await rebuildForStart({
      config,
      places,
      watermarks: new FileWatermarkStore(places.watermarkFile),
      epoch: null,
      replaceExisting: false,
      request: options.rebuild,
      logger,
    });
    if (!rebuilt.ok) {
      await lock.value.release();
      return rebuilt;
    }
  }
  const failure = new FatalSwitch(logger);
  const state = await recoverState(config, ({ message }) => failure.trip(message));
  if (!state.ok) {
    await lock.value.release();
    return state;
  }
  const guarded = await guardState(options, state.value);
  if (!guarded.ok) {
    await state.value.indexer.run({ kind: 'close' });
    await state.value.indexer.end();
    await lock.value.release();
    return guarded;
  }
  const node = new RunningEdge(options, state.value, failure, lock.value);
  const refusal = await node.start();
  return refusal === null ? ok(node) : err(refusal);
}

/** Compares with the rows in Cassandra, where there are any. */
async function guardState(
  { config, logger }: EdgeOptions,
  { recovered, epoch }: StartState,
): Promise<Result<undefined, StartFailure>> {
  if (config.cassandra.length === 0) return ok(undefined);
  const cassandra = cassandraOptions(config);
  if (!cassandra.ok) return err({ message: cassandra.error, exitCode: EXIT.config });
  const store = new CassandraRowStore(cassandra.value, config.cluster);
  const { journalId, lineage, end } = recovered;
  const hasRows = end.nextSequence > 1;
  const guarded = await guardRows(store, { journalId, lineage, hasRows, epoch, cluster: config.cluster });
  await store.close();
  if (!guarded.ok) return guarded;
  if (guarded.value.warning !== null) logger.warn(guarded.value.warning);
  return ok(undefined);
}

type Phase = 'starting' | 'ready' | 'draining';

class RunningEdge implements EdgeNode {
  readonly failed: Promise<StartFailure>;
  readonly #options: EdgeOptions;
  readonly #state: StartState;
  readonly #failure: FatalSwitch;
  readonly #lock: DirLock;
  readonly #parts: NodeParts;
  #phase: Phase = 'starting';
  #recoveryS: number | null = null;
  #admin: AdminServer | null = null;
  #server: PublicServer | null = null;
  #housekeeping: NodeJS.Timeout | null = null;

  constructor(options: EdgeOptions, state: StartState, failure: FatalSwitch, lock: DirLock) {
    this.#options = options;
    this.#state = state;
    this.#failure = failure;
    this.#lock = lock;
    this.#parts = makeParts(options.config, state, failure, options.logger);
    this.failed = failure.settled;
  }

  get publicPort(): number {
    return this.#server?.port ?? 0;
  }

  get adminPort(): number {
    return this.#admin?.port ?? 0;
  }

  /** Listens and begins; why it cannot, or null. */
  async start(): Promise<StartFailure | null> {
    const startedMs = monotonicMs();
    const { logger } = this.#options;
    const { recovered, epoch } = this.#state;
    const { rounds, watermark, gateway } = this.#parts;
    await rounds.restore(recovered.rounds.map(({ definition }) => definition));
    // The new epoch is on record before the first verdict under it.
    if (!(await watermark.write())) return this.#giveUp('the watermark cannot be written', EXIT.internal);
    await gateway.barrier();
    const busy = await this.#listen();
    if (busy !== null) return this.#giveUp(busy, EXIT.tryAgain);
    await this.#begin();
    this.#recoveryS = (monotonicMs() - startedMs + recovered.recoveryMs) / 1000;
    const { replayedRows, torn, rebuilt } = recovered;
    logger.info({ recoveryS: this.#recoveryS, replayedRows, torn, rebuilt, epoch }, 'recovered');
    if (rebuilt !== null)
      logger.warn('the index was built again: balances are unknown until they are imported');
    return null;
  }

  async stop(): Promise<void> {
    const { gateway, registry, intake, bus, rounds, outbox } = this.#parts;
    this.#phase = 'draining';
    gateway.setGate({ code: 'draining', retryAfterS: 1 });
    this.#server?.stopListening();
    rounds.stop();
    outbox.stop();
    await Promise.race([gateway.drained(), late(EDGE_DRAIN_MS)]);
    registry.stop();
    await intake.stop();
    await bus.close();
    await this.#parts.replication?.client.close();
    await this.#parts.watermark.write();
    await this.#close();
  }

  async #listen(): Promise<string | null> {
    const { config, logger } = this.#options;
    const admin = await startNodeAdmin({
      config,
      logger,
      state: this.#state,
      parts: this.#parts,
      readiness: this.#readiness(),
      recoveryS: () => this.#recoveryS,
      httpConnections: () => this.#server?.connections() ?? 0,
    });
    if (!admin.ok) return admin.error;
    this.#admin = admin.value;
    const server = await startPublicServer(config.host, config.port, {
      ...this.#parts,
      openapi: openapiJson(VERSION),
      origins: config.origins,
      clock: nowMs,
      onError: (error) => logger.error({ error: String(error) }, 'public: a handler threw'),
    });
    if (!server.ok) return server.error;
    this.#server = server.value;
    return null;
  }

  async #begin(): Promise<void> {
    const { gateway, upkeep, follower, watermark, outbox, intake, registry, rounds, replication } =
      this.#parts;
    const { head } = this.#state;
    this.#housekeeping = setInterval(() => {
      gateway.expire();
      replication?.gate?.expire();
      if (head.segmentReady <= head.segment) upkeep.preallocate();
    }, UPKEEP_MS);
    follower.start();
    replication?.client.start();
    watermark.start();
    outbox.start();
    intake.start();
    registry.start();
    await rounds.start();
    this.#phase = 'ready';
  }

  #readiness(): Readiness {
    return {
      parts: () => {
        const broken = this.#state.head.failure ?? this.#failure.reason;
        const closed = this.#parts.gateway.closedBy;
        const rows = this.#parts.replication?.readiness ?? null;
        return [
          part('journal', broken === null, String(broken)),
          part('lifecycle', this.#phase === 'ready', this.#phase),
          part('admission', closed === null, closed?.detail ?? closed?.code ?? ''),
          ...(rows === null ? [] : [rows]),
        ];
      },
    };
  }

  async #giveUp(message: string, exitCode: number): Promise<StartFailure> {
    await this.#parts.bus.close();
    await this.#close();
    return { message, exitCode };
  }

  /** Ends what is left: timers, ports, threads, the lock. */
  async #close(): Promise<void> {
    const { gateway, upkeep, follower, watermark, index, replication } = this.#parts;
    const { indexer } = this.#state;
    if (this.#housekeeping !== null) clearInterval(this.#housekeeping);
    follower.stop();
    watermark.stop();
    // The ports first: what still comes in must not meet a closed index.
    await this.#admin?.close();
    this.#server?.close();
    await indexer.run({ kind: 'close' });
    await Promise.all([gateway.close(), upkeep.close(), index.close(), replication?.client.close()]);
    await indexer.end();
    await this.#lock.release();
  }
}

function part(name: string, ready: boolean, detail: string): ReadinessPart {
  return ready ? { name, ready } : { name, ready, detail };
}

function late(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
