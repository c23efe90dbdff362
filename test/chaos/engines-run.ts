// A rush at an edge and a ledger with all three engines while each of the five processes is killed and paused, in an order
// that a seed gives; then a healed minute, and the proof: the clients' answers, the journal, the rows in Cassandra, the
// books and the watermark agree, and nobody was refused or late because NSQ or Cassandra was away.

import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { seededRandom } from '../../src/rush/random.js';
import { journalCensus, outcomeProblems, rowsCensus } from '../engines/census.js';
import { testOptions } from '../engines/keyspace.js';
import { type Cassandra, startCassandra } from '../harness/cassandra.js';
import type { EdgeProcess, LedgerProcess } from '../harness/node-process.js';
import { type Production, startProduction } from '../harness/production.js';
import { type Crowd, gatherCrowd } from './crowd.js';
import { type Faults, runFaults } from './engine-faults.js';
import { type FaultKind, faultPlan } from './fault-plan.js';
import { checkAll } from './final-checks.js';
import { bookProblems, undersellProblems } from './journal-checks.js';
import { endInOrder, runCheck } from './orderly-end.js';
import { Outages } from './outages.js';
import { Supervised } from './supervised.js';
import { readMetrics, Vigil } from './vigil.js';

export interface EngineChaosOptions {
  readonly seed: number;
  /** Kills and pauses of each process. */
  readonly each: number;
  readonly kinds: readonly FaultKind[];
  readonly dataDir: string;
  /** Where the ledger keeps its books. */
  readonly books: 'lmdb' | 'cassandra';
  log(text: string): void;
}

export interface EngineChaosSummary {
  readonly seed: number;
  /** How often each fault was brought about, such as `nsqd kill`. */
  readonly faults: Readonly<Record<string, number>>;
  /** Verdicts that were told while an engine was away and edge and etcd were not. */
  readonly wentOn: Readonly<Record<string, number>>;
  /** Answers that the clients missed, by what they were; each because of the edge or etcd. */
  readonly felt: Readonly<Record<string, number>>;
  readonly keys: number;
  readonly accepted: number;
  readonly verdictRows: number;
  readonly outcomeRows: number;
  /** Seconds of faults, and from the last one until nothing was open any more. */
  readonly faultsS: number;
  readonly healedS: number;
  /** The largest backlogs that the metrics showed. */
  readonly rowsBehind: number;
  readonly outbox: number;
  /** Starts of the edge, by its epochs; ends of edge and ledger that were not kills. */
  readonly epoch: number;
  readonly fenced: number;
  /** Those of the edge with nothing done to it or to etcd: the machine had no time for a keepalive. */
  readonly fencedUnasked: number;
  /** Times that the machine had no time for anybody, for more than a second. */
  readonly stalls: number;
  readonly unavailable: number;
  readonly problems: readonly string[];
}

/** What was done, and how long it and its healing took, in seconds. */
interface Course {
  readonly faults: Faults;
  readonly faultsS: number;
  readonly healedS: number;
}

const KEYSPACE = 'chaos';
const CLUSTER = 'openbell';
/** Short, and yet longer than a machine of two cores takes between two keepalives while Cassandra starts on it. */
const LEASE_TTL_S = 6;
const SETTINGS = {
  OPENBELL_LEASE_TTL: `${LEASE_TTL_S}`,
  OPENBELL_CLUSTER: CLUSTER,
  // Slow enough that NSQ and the ledger always have something in hand, fast enough to be done in the healed minute.
  OPENBELL_LEDGER_RATE: '500',
  OPENBELL_WORKERS: '2',
  OPENBELL_JOURNAL_SEGMENT_BYTES: '1048576',
};
const RATE_PER_S = 300;
const HEALED_MS = 60_000;
const POLL_MS = 200;

/** Makes the run and returns what it found; throws only if it cannot be made at all. */
export async function runEngineChaos(options: EngineChaosOptions): Promise<EngineChaosSummary> {
  const cassandra = await startCassandra();
  try {
    const { dataDir } = options;
    const env = { ...SETTINGS, OPENBELL_LEDGER_STORE: options.books };
    const where = { contactPoint: cassandra.contactPoint, keyspace: KEYSPACE, dataDir, env };
    const production = await startProduction({ ...where, queueInMemory: true });
    try {
      return await supervised(options, production, cassandra);
    } finally {
      await production.remove();
    }
  } finally {
    await cassandra.remove();
  }
}

async function supervised(
  options: EngineChaosOptions,
  production: Production,
  cassandra: Cassandra,
): Promise<EngineChaosSummary> {
  const firstLedger = await production.startLedger();
  const ledger = new Supervised(
    'ledger',
    firstLedger,
    () => production.startLedger(false),
    production.ledgerUrl,
  );
  try {
    const firstEdge = await production.startEdge();
    const outages = new Outages();
    const edge: Supervised<EdgeProcess> = new Supervised(
      'edge',
      firstEdge,
      () => production.startEdge(false),
      production.adminUrl,
      () => {
        const end = outages.fenced(performance.now());
        // One that never comes back fails the run elsewhere.
        void edge.untilReady().then(
          () => end(performance.now()),
          () => undefined,
        );
      },
    );
    try {
      return await new EngineChaos(options, production, cassandra, edge, ledger, outages).run();
    } finally {
      await edge.abandon();
    }
  } finally {
    await ledger.abandon();
  }
}

class EngineChaos {
  readonly #options: EngineChaosOptions;
  readonly #production: Production;
  readonly #cassandra: Cassandra;
  readonly #edge: Supervised<EdgeProcess>;
  readonly #ledger: Supervised<LedgerProcess>;
  readonly #outages: Outages;
  readonly #problems: string[] = [];

  constructor(
    options: EngineChaosOptions,
    production: Production,
    cassandra: Cassandra,
    edge: Supervised<EdgeProcess>,
    ledger: Supervised<LedgerProcess>,
    outages: Outages,
  ) {
    this.#options = options;
    this.#production = production;
    this.#cassandra = cassandra;
    this.#edge = edge;
    this.#ledger = ledger;
    this.#outages = outages;
  }

  async run(): Promise<EngineChaosSummary> {
    const { seed, log } = this.#options;
    const crowd = await gatherCrowd(this.#edge.current, this.#ledger.current, {
      ratePerS: RATE_PER_S,
      random: seededRandom(seed + 1),
      observe: (...turn) => this.#outages.observe(...turn),
    });
    const { etcd, adminUrl, command } = this.#production;
    const vigil = new Vigil(etcd.clientAddress, CLUSTER, adminUrl, this.#outages);
    const startMs = performance.now();
    let course: Course;
    try {
      vigil.start();
      crowd.workload.start();
      const faults = await this.#faultsUnder(crowd);
      const faultsS = (performance.now() - startMs) / 1_000;
      course = { faults, faultsS, healedS: await this.#heal() };
      log(`healed after ${course.healedS.toFixed(1)} s`);
      await this.#edge.untilReady();
      this.#problems.push(...(await runCheck({ command, log }, ['audit'])));
    } finally {
      await vigil.stop();
    }
    this.#problems.push(...vigil.problems, ...this.#outages.unexcused());
    const rows = await this.#prove(crowd);
    return {
      seed,
      ...this.#felt(course.faults),
      keys: crowd.book.entries.length,
      accepted: crowd.book.accepted().length,
      ...rows,
      faultsS: Math.round(course.faultsS),
      healedS: Math.round(course.healedS),
      ...{ rowsBehind: vigil.rowsBehind, outbox: vigil.outbox, epoch: vigil.epoch },
      fenced: this.#edge.fenced + this.#ledger.fenced,
      fencedUnasked: this.#outages.fencedUnasked,
      stalls: this.#outages.stalls,
      unavailable: this.#edge.unavailable + this.#ledger.unavailable,
      problems: [...new Set(this.#problems)],
    };
  }

  async #faultsUnder({ workload }: Crowd): Promise<Faults> {
    try {
      return await this.#faults();
    } finally {
      await workload.stop();
    }
  }

  #faults(): Promise<Faults> {
    const { seed, each, kinds, log } = this.#options;
    return runFaults(faultPlan(seed, each, kinds), {
      nsqd: this.#production.nsqd,
      etcd: this.#production.etcd,
      cassandra: this.#cassandra,
      edge: this.#edge,
      ledger: this.#ledger,
      outages: this.#outages,
      leaseTtlS: LEASE_TTL_S,
      adminUrl: this.#production.adminUrl,
      log,
    });
  }

  /** Waits until nothing is open any more: every outcome is there, every row in Cassandra. Seconds that it took. */
  async #heal(): Promise<number> {
    const beganMs = performance.now();
    let left = 'the edge shows no metrics';
    while (performance.now() - beganMs < HEALED_MS) {
      const metrics = await readMetrics(this.#production.adminUrl);
      const open = metrics?.get('openbell_outbox_investments');
      const behind = metrics?.get('openbell_rows_lag_rows');
      if (open === 0 && behind === 0) return (performance.now() - beganMs) / 1_000;
      if (metrics !== null) left = `${open} investments have no outcome, ${behind} rows are not in Cassandra`;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    this.#problems.push(`after a healed minute ${left}`);
    return HEALED_MS / 1_000;
  }

  /** Everything against everything; the edge and the ledger have stopped when it returns. */
  async #prove(crowd: Crowd): Promise<{ verdictRows: number; outcomeRows: number }> {
    const { dataDir, log } = this.#options;
    const { book, caps, caller } = crowd;
    const [edge, ledger] = [this.#edge.current, this.#ledger.current];
    this.#problems.push(...(await checkAll({ ...crowd, edge, ledger, log })));
    caller.close();
    await this.#heal();
    const stops = [
      ['edge', () => this.#edge.stop()],
      ['ledger', () => this.#ledger.stop()],
    ] as const;
    this.#problems.push(...(await endInOrder({ command: this.#production.command, stops, log })));
    const census = journalCensus(dataDir);
    const rows = await rowsCensus(this.#keyspace(), census);
    this.#problems.push(
      ...outcomeProblems(census),
      ...bookProblems(book, census),
      ...undersellProblems(census, caps),
      ...rows.problems,
    );
    const { verdictRows, outcomeRows } = rows;
    if (verdictRows !== census.verdicts.size || outcomeRows !== census.outcomes.size)
      this.#problems.push(`${verdictRows} and ${outcomeRows} rows are in Cassandra, not as many as here`);
    return { verdictRows, outcomeRows };
  }

  #keyspace(): CassandraOptions {
    return testOptions(this.#cassandra.contactPoint, KEYSPACE);
  }

  #felt(faults: Faults): Pick<EngineChaosSummary, 'faults' | 'wentOn' | 'felt'> {
    const without = Object.keys(faults).filter((name) => /^(nsqd|cassandra|ledger) /.test(name));
    const counts = without.map((name) => [name, this.#outages.wentOn(name)] as const);
    return { faults, wentOn: Object.fromEntries(counts), felt: this.#outages.felt() };
  }
}
