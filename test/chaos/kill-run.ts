// Kills (-9) the edge and the ledger at seeded random instants under load, then proof that nothing was lost or
// doubled: every accepted answer that a client saw is there, no key has two verdicts, totals equal the journal,
// ledger entries sum to zero, no cap was passed. Only processes that this run has started are killed, by their pid.

import { seededRandom } from '../../src/rush/random.js';
import {
  type EdgeProcess,
  type LedgerProcess,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  waitReady,
} from '../harness/node-process.js';
import { freePorts } from '../harness/ports.js';
import { gatherCrowd } from './crowd.js';
import { type CheckSubject, checkAll, checkSome } from './final-checks.js';
import { endInOrder } from './orderly-end.js';

export interface KillOptions {
  readonly edgeKills: number;
  readonly ledgerKills: number;
  readonly seed: number;
  readonly dataDir: string;
  log(text: string): void;
}

export interface KillSummary {
  readonly seed: number;
  readonly edgeKills: number;
  readonly ledgerKills: number;
  readonly keys: number;
  readonly accepted: number;
  /** Times that a client had no answer, and answers that were replays. */
  readonly unknowns: number;
  readonly replays: number;
  readonly problems: readonly string[];
}

const LOAD_MS_MAX = 1_000;
/** This share of kills hits a process that is still starting. */
const EARLY_SHARE = 0.15;
const EARLY_MS_MAX = 400;
const LEDGER_LIFE_MS_MAX = 3_000;
const CHECKED_PER_RESTART = 40;
const RATE_PER_S = 2_500;
const SHARDS_MAX = 3;
/** The smallest that is allowed: the journal changes its segment often. */
const SEGMENT_BYTES = '1048576';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One process that is killed and started again on the same ports and data. */
class Victim<P extends EdgeProcess | LedgerProcess> {
  current: P;
  readonly #restart: () => Promise<P>;
  readonly #url: (process: P) => string;

  constructor(first: P, restart: () => Promise<P>, url: (process: P) => string) {
    this.current = first;
    this.#restart = restart;
    this.#url = url;
  }

  async waitReady(): Promise<void> {
    await waitReady(this.current, this.#url(this.current));
  }

  /** kill -9, and up again; not yet ready. Throws if it had ended by itself. */
  async killAndRestart(): Promise<void> {
    if (this.current.hasExited()) {
      const { code, signal } = await this.current.exited;
      throw new Error(`ended by itself (${code ?? signal})\n${this.current.stderr()}`);
    }
    await this.current.kill();
    this.current = await this.#restart();
  }
}

/** Makes the run and returns what it found; throws only if the processes cannot be run at all. */
export async function runKills(options: KillOptions): Promise<KillSummary> {
  const [publicPort, adminPort, ledgerPort] = (await freePorts(3)) as [number, number, number];
  const env = {
    OPENBELL_LEDGER_PORT: `${ledgerPort}`,
    OPENBELL_ADMIN_PORT: `${adminPort}`,
    OPENBELL_JOURNAL_SEGMENT_BYTES: SEGMENT_BYTES,
  };
  const common = { dataDir: options.dataDir, env };
  const shards = seededRandom(options.seed + 4);
  // A restart may have another number of shards: nothing on disk depends on it.
  const startEdge = (waitReady: boolean): Promise<EdgeProcess> => {
    const workers = { OPENBELL_WORKERS: `${1 + Math.floor(shards() * SHARDS_MAX)}` };
    const ports = [publicPort, adminPort];
    return startEdgeProcess({ dataDir: options.dataDir, env: { ...env, ...workers }, ports, waitReady });
  };
  const startLedger = (waitReady: boolean): Promise<LedgerProcess> =>
    startLedgerProcess({ ...common, ports: [ledgerPort], waitReady });
  const ledger = new Victim(
    await startLedger(true),
    () => startLedger(false),
    (process) => process.ledgerUrl,
  );
  const edge = new Victim(
    await startEdge(true),
    () => startEdge(false),
    (process) => process.adminUrl,
  );
  try {
    return await killUnderLoad(options, common, edge, ledger);
  } finally {
    await edge.current.kill();
    await ledger.current.kill();
  }
}

async function killUnderLoad(
  options: KillOptions,
  common: { readonly dataDir: string; readonly env: Readonly<Record<string, string>> },
  edge: Victim<EdgeProcess>,
  ledger: Victim<LedgerProcess>,
): Promise<KillSummary> {
  const random = seededRandom(options.seed + 3);
  const crowd = await gatherCrowd(edge.current, ledger.current, { ratePerS: RATE_PER_S, random });
  const { book, workload, caller } = crowd;
  const subject = (): CheckSubject => ({
    ...{ ...crowd, edge: edge.current, ledger: ledger.current },
    log: options.log,
  });
  const problems: string[] = [];
  workload.start();
  try {
    const pick = seededRandom(options.seed + 2);
    const checkRestarted = async (): Promise<void> => {
      problems.push(...(await checkSome(subject(), CHECKED_PER_RESTART, pick)));
    };
    const failed = new AbortController();
    const guarded = async (work: Promise<void>): Promise<void> => {
      await work.catch((error: unknown) => {
        failed.abort();
        throw error;
      });
    };
    const both = await Promise.allSettled([
      guarded(killEdge(options, edge, failed.signal, checkRestarted)),
      guarded(killLedger(options, ledger, failed.signal)),
    ]);
    for (const one of both) if (one.status === 'rejected') throw one.reason;
  } finally {
    await workload.stop();
  }
  await ledger.waitReady();
  problems.push(...(await checkAll(subject())));
  caller.close();
  const ending = {
    command: (args: readonly string[]) => runCommand(args, common),
    stops: [
      ['edge', () => edge.current.stop()],
      ['ledger', () => ledger.current.stop()],
    ] as const,
    log: options.log,
  };
  problems.push(...(await endInOrder(ending)));
  return {
    seed: options.seed,
    edgeKills: options.edgeKills,
    ledgerKills: options.ledgerKills,
    keys: book.entries.length,
    accepted: book.accepted().length,
    unknowns: book.unknowns,
    replays: book.replays,
    problems: [...new Set(problems)],
  };
}

async function killEdge(
  options: KillOptions,
  edge: Victim<EdgeProcess>,
  failed: AbortSignal,
  checkRestarted: () => Promise<void>,
): Promise<void> {
  const random = seededRandom(options.seed);
  for (let kills = 1; kills <= options.edgeKills && !failed.aborted; kills++) {
    const early = random() < EARLY_SHARE;
    if (early) await pause(random() * EARLY_MS_MAX);
    else {
      await edge.waitReady();
      await checkRestarted();
      await pause(random() * LOAD_MS_MAX);
    }
    await edge.killAndRestart();
    options.log(`edge killed ${kills} of ${options.edgeKills}${early ? ', while it started' : ''}`);
  }
  await edge.waitReady();
  await checkRestarted();
}

async function killLedger(
  options: KillOptions,
  ledger: Victim<LedgerProcess>,
  failed: AbortSignal,
): Promise<void> {
  const random = seededRandom(options.seed + 1);
  for (let kills = 1; kills <= options.ledgerKills && !failed.aborted; kills++) {
    await pause(random() * LEDGER_LIFE_MS_MAX);
    await ledger.killAndRestart();
    options.log(`ledger killed ${kills} of ${options.ledgerKills}`);
  }
}
