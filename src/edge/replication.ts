// The rows of this node in Cassandra, as the rest of the node sees them: how far they are, who waits for them, and what
// may be told to others. Null in a node without Cassandra.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { REPLICATION_STALL_MS } from '../core/limits.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import { ReplicationGate } from './replication-gate.js';
import { ReplicatorClient } from './replicator-client.js';
import type { StartState } from './start-state.js';
import type { ReadinessPart } from './status.js';

export interface ReplicationModules {
  readonly config: Config;
  readonly state: StartState;
  /** Once: what this node writes does not count any more, so it must not go on admitting. */
  readonly onFenced: (reason: string) => void;
  readonly logger: Logger;
  /** Milliseconds, monotonic. */
  readonly monotonicMs: () => number;
}

/** What `/metrics` shows of it. */
export interface ReplicationStats {
  readonly replicated: number;
  readonly investors: number;
  readonly lagRows: number;
  readonly lagS: number;
  readonly rows: number;
  readonly batches: number;
  readonly investorRows: number;
  readonly investorBatches: number;
  readonly retries: number;
  readonly rowsInFlight: number;
  readonly repliesHeld: number;
  readonly repliesLate: number;
}

export class Replication {
  readonly client: ReplicatorClient;
  /** Holds replies back at ack `replicated`; null at ack `journal`. */
  readonly gate: ReplicationGate | null;
  readonly #durable: () => number;
  /** What an earlier process has promised is promised, at whatever level. */
  readonly #floor: number;

  private constructor(client: ReplicatorClient, gate: ReplicationGate | null, state: StartState) {
    this.client = client;
    this.gate = gate;
    this.#durable = () => state.head.durableSequence;
    this.#floor = state.promisedSequence;
  }

  /** Makes it where Cassandra is configured; nothing runs yet. Throws when the certificates cannot be read. */
  static of(modules: ReplicationModules): Replication | null {
    const { config, state, logger, monotonicMs } = modules;
    if (config.cassandra.length === 0) return null;
    const cassandra = cassandraOptions(config);
    if (!cassandra.ok) throw new Error(cassandra.error);
    const { recovered, places, epoch, headMemory } = state;
    let gate: ReplicationGate | null = null;
    const client = new ReplicatorClient({
      options: {
        journalDir: places.journalDir,
        journalId: recovered.journalId,
        lineage: recovered.lineage,
        cursorFile: places.cursorFile,
        epoch,
        firstSequence: recovered.end.nextSequence,
        ack: config.ack,
        journalHead: headMemory,
        cassandra: cassandra.value,
        cluster: config.cluster,
        rounds: recovered.rounds.map(({ definition: { number, id } }) => ({ number, id })),
      },
      onAdvance: () => gate?.advance(),
      onFenced: (reason) => {
        gate?.fence();
        modules.onFenced(reason);
      },
      logger,
    });
    if (config.ack === 'replicated') {
      gate = new ReplicationGate({
        replicated: () => client.replicated,
        owns: state.owns,
        wake: () => client.wake(),
        clock: monotonicMs,
      });
    }
    return new Replication(client, gate, state);
  }

  /**
   * The newest sequence that may be told to others (ledger, watermark, events): what would be lost with this disk, and
   * was promised to nobody, must not be known elsewhere.
   */
  get told(): number {
    const durable = this.#durable();
    return this.gate === null ? durable : Math.max(this.#floor, Math.min(durable, this.client.replicated));
  }

  /** Part of the readiness at ack `replicated`: whoever is admitted now would wait in vain. */
  get readiness(): ReadinessPart | null {
    if (this.gate === null) return null;
    const isStalled = this.gate.oldestMs > REPLICATION_STALL_MS;
    const { trouble } = this.client;
    if (!isStalled && trouble === null) return { name: 'rows', ready: true };
    return { name: 'rows', ready: false, detail: trouble ?? 'replies wait for rows to be replicated' };
  }

  /** @param nowMs milliseconds since the epoch */
  stats(nowMs: number): ReplicationStats {
    const { words } = this.client;
    const durable = this.#durable();
    const replicated = words.get('replicated');
    const oldestAtMs = words.get('oldestAtMs');
    return {
      replicated,
      investors: words.get('investors'),
      lagRows: Math.max(0, durable - replicated),
      lagS: oldestAtMs === 0 ? 0 : Math.max(0, (nowMs - oldestAtMs) / 1000),
      rows: words.get('rows'),
      batches: words.get('batches'),
      investorRows: words.get('investorRows'),
      investorBatches: words.get('investorBatches'),
      retries: words.get('retries'),
      rowsInFlight: words.get('rowsInFlight'),
      repliesHeld: this.gate?.held ?? 0,
      repliesLate: this.gate?.late ?? 0,
    };
  }
}
