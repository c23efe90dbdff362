// The edge from its recovery on: the threads, then the ports, and the tails last. A stop goes the other way. Whatever ends
// admission for good ends the process, in order: restart is the recovery path.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { EDGE_DRAIN_MS, UPKEEP_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { edgeBus } from '../engines/bus-of.js';
import type { DirLock } from '../engines/dir-lock.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import type { AdminServer } from '../http/admin-server.js';
import type { Claim } from './claim.js';
import { monotonicMs, nowMs } from './clocks.js';
import type { FatalSwitch } from './fatal-switch.js';
import { VERSION } from './metric-sources.js';
import { startNodeAdmin } from './node-admin.js';
import { makeParts, type NodeParts } from './node-parts.js';
import { openapiJson } from './openapi.js';
import { type PublicServer, startPublicServer } from './public-server.js';
import { adoptSharedRounds } from './shared-rounds.js';
import type { StartFailure, StartState } from './start-state.js';
import type { Readiness, ReadinessPart } from './status.js';

export interface EdgeNode {
  readonly publicPort: number;
  readonly adminPort: number;
  /** Not ready, no new connections, what is in flight is finished, everything is flushed. */
  stop(): Promise<void>;
  /** Settles when admission has ended for good and the grace for clients is over; never otherwise. */
  readonly failed: Promise<StartFailure>;
}

export interface RunningModules {
  readonly config: Config;
  readonly logger: Logger;
  /** Undefined: the embedded link to the ledger. */
  readonly nsq: NsqSettings | undefined;
  readonly state: StartState;
  readonly failure: FatalSwitch;
  readonly claim: Claim;
  readonly lock: DirLock;
}

/** Resolves when the node is ready, or with why it cannot be; then all that was given has been let go of. */
export async function runEdge(modules: RunningModules): Promise<Result<EdgeNode, StartFailure>> {
  const bus = await edgeBus(modules.config.dataDir, modules.nsq, modules.logger);
  const node = new RunningEdge(modules, makeParts({ ...modules, bus }));
  const refusal = await node.start();
  return refusal === null ? ok(node) : err(refusal);
}

type Phase = 'starting' | 'ready' | 'draining';

class RunningEdge implements EdgeNode {
  readonly failed: Promise<StartFailure>;
  readonly #modules: RunningModules;
  readonly #state: StartState;
  readonly #failure: FatalSwitch;
  readonly #claim: Claim;
  readonly #parts: NodeParts;
  #phase: Phase = 'starting';
  #recoveryS: number | null = null;
  #admin: AdminServer | null = null;
  #server: PublicServer | null = null;
  #housekeeping: NodeJS.Timeout | null = null;

  constructor(modules: RunningModules, parts: NodeParts) {
    this.#modules = modules;
    this.#state = modules.state;
    this.#failure = modules.failure;
    this.#claim = modules.claim;
    this.#parts = parts;
    this.failed = modules.failure.settled;
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
    const { logger } = this.#modules;
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
    const { config, logger } = this.#modules;
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
    await this.#modules.lock.release();
  }
}

function part(name: string, ready: boolean, detail: string): ReadinessPart {
  return ready ? { name, ready } : { name, ready, detail };
}

function late(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
