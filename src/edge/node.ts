// The edge node: recovery first, then the threads, then the ports, and the tails last. A stop goes the other way.
// Whatever ends admission for good ends the process, in order: restart is the recovery path.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { EDGE_DRAIN_MS, UPKEEP_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { type DirLock, lockDir } from '../engines/dir-lock.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import type { AdminServer } from '../http/admin-server.js';
import { type Claim, claimRounds } from './claim.js';
import { monotonicMs, nowMs } from './clocks.js';
import { FatalSwitch } from './fatal-switch.js';
import { VERSION } from './metric-sources.js';
import { startNodeAdmin } from './node-admin.js';
import { makeParts, type NodeParts } from './node-parts.js';
import { openapiJson } from './openapi.js';
import { type PublicServer, startPublicServer } from './public-server.js';
import { prepareJournal, type RebuildRequest } from './rebuild-start.js';
import { guardState } from './rows-guard.js';
import { adoptSharedRounds } from './shared-rounds.js';
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
  const prepared = await prepareJournal({
    config,
    tenure,
    isShared: claim.value.isShared,
    request: options.rebuild ?? null,
    logger,
  });
  if (!prepared.ok) {
    await claim.value.release();
    await lock.value.release();
    return prepared;
  }
  const failure = new FatalSwitch(logger);
  void tenure.ownership.lost.then((reason) => failure.trip(reason, 'fenced'));
  const state = await recoverState(config, tenure, ({ message }) => failure.trip(message));
  if (!state.ok) {
    await claim.value.release();
    await lock.value.release();
    return state;
  }
  const guarded = await guardState(config, logger, state.value);
  if (!guarded.ok) {
    await state.value.indexer.run({ kind: 'close' });
    await state.value.indexer.end();
    await claim.value.release();
    await lock.value.release();
    return guarded;
  }
  const node = new RunningEdge(options, state.value, failure, claim.value, lock.value);
  const refusal = await node.start();
  return refusal === null ? ok(node) : err(refusal);
}

type Phase = 'starting' | 'ready' | 'draining';

class RunningEdge implements EdgeNode {
  readonly failed: Promise<StartFailure>;
  readonly #options: EdgeOptions;
  readonly #state: StartState;
  readonly #failure: FatalSwitch;
  readonly #claim: Claim;
  readonly #lock: DirLock;
  readonly #parts: NodeParts;
  #phase: Phase = 'starting';
  #recoveryS: number | null = null;
  #admin: AdminServer | null = null;
  #server: PublicServer | null = null;
  #housekeeping: NodeJS.Timeout | null = null;

  constructor(options: EdgeOptions, state: StartState, failure: FatalSwitch, claim: Claim, lock: DirLock) {
    this.#options = options;
    this.#state = state;
    this.#failure = failure;
    this.#claim = claim;
    this.#lock = lock;
    this.#parts = makeParts(options.config, state, failure, options.logger, options.nsq);
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
    const { recovered, epoch, tenure } = this.#state;
    const { rounds, sharer, watermark, gateway, ids } = this.#parts;
    await rounds.restore(recovered.rounds.map(({ definition }) => definition));
    const last = recovered.end.nextSequence - 1;
    // The new epoch is on record before the first verdict under it.
    if (!(await watermark.write())) {
      const exitCode = this.#claim.isShared ? EXIT.unavailable : EXIT.internal;
      return this.#giveUp('the watermark cannot be written', exitCode);
    }
    await gateway.barrier();
    const adopted = await adoptSharedRounds(tenure.rounds, rounds, { last, ids });
    if (!adopted.ok) return this.#giveUp(adopted.error, EXIT.unavailable);
    if (adopted.value > 0)
      logger.warn({ rounds: adopted.value }, 'rounds of the last owner are journaled here');
    await sharer.share(rounds.list(), this.#state.head.durableSequence);
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
    const { gateway, registry, intake, events, bus, rounds, outbox } = this.#parts;
    this.#phase = 'draining';
    if (this.#failure.reason === null) gateway.setGate({ code: 'draining', retryAfterS: 1 });
    this.#server?.stopListening();
    rounds.stop();
    outbox.stop();
    await Promise.race([gateway.drained(), late(EDGE_DRAIN_MS)]);
    registry.stop();
    await intake.stop();
    await events?.stop();
    await bus.close();
    await this.#parts.replication?.client.close();
    await this.#parts.watermark.write();
    await this.#close();
  }

  async #listen(): Promise<string | null> {
    const { config, logger } = this.#options;
    await this.#claim.stopWaiting();
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
    const { gateway, upkeep, follower, watermark, outbox, intake, events, registry, rounds } = this.#parts;
    const { replication } = this.#parts;
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
    await events?.start();
    registry.start();
    await rounds.start();
    this.#phase = 'ready';
  }

  #readiness(): Readiness {
    return {
      parts: () => {
        const { reason, kind } = this.#failure;
        const broken = this.#state.head.failure ?? (kind === 'failed' ? reason : null);
        const closed = this.#parts.gateway.closedBy;
        const rows = this.#parts.replication?.readiness ?? null;
        return [
          part('journal', broken === null, String(broken)),
          part('lifecycle', this.#phase === 'ready', this.#phase),
          part('admission', closed === null, closed?.detail ?? closed?.code ?? ''),
          ...(this.#claim.isShared
            ? [part('lease', this.#state.owns(), `fenced: ${reason ?? 'expired'}`)]
            : []),
          ...(rows === null ? [] : [rows]),
        ];
      },
    };
  }

  async #giveUp(message: string, exitCode: number): Promise<StartFailure> {
    await this.#parts.bus.close();
    await this.#close();
    const { reason, kind } = this.#failure;
    if (reason !== null && kind === 'fenced')
      return { message: `fenced: ${reason}`, exitCode: EXIT.tryAgain };
    return { message, exitCode };
  }

  /** Ends what is left: timers, ports, threads, ownership, the lock. */
  async #close(): Promise<void> {
    const { gateway, upkeep, follower, watermark, sharer, events, index, replication } = this.#parts;
    const { indexer } = this.#state;
    if (this.#housekeeping !== null) clearInterval(this.#housekeeping);
    follower.stop();
    watermark.end();
    sharer.stop();
    // The ports first: what still comes in must not meet a closed index.
    await this.#admin?.close();
    this.#server?.close();
    await indexer.run({ kind: 'close' });
    const threads = [gateway.close(), upkeep.close(), events?.close(), replication?.client.close()];
    await Promise.all([...threads, index.close()]);
    await indexer.end();
    await this.#claim.release();
    await this.#lock.release();
  }
}

function part(name: string, ready: boolean, detail: string): ReadinessPart {
  return ready ? { name, ready } : { name, ready, detail };
}

function late(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
