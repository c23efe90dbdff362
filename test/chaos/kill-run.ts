// Kills (-9) the edge and the ledger at seeded random instants under load, then proof that nothing was lost or
// doubled: every accepted answer that a client saw is there, no key has two verdicts, totals equal the journal,
// ledger entries sum to zero, no cap was passed. Only processes that this run has started are killed, by their pid.

import { parseAddress } from '../../src/rush/address.js';
import { HttpCaller } from '../../src/rush/http-caller.js';
import { seededRandom } from '../../src/rush/random.js';
import {
  adminCall,
  createRound,
  type EdgeProcess,
  importInvestors,
  type LedgerProcess,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  waitReady,
} from '../harness/node-process.js';
import { freePorts } from '../harness/ports.js';
import { type CheckSubject, checkAll, checkSome } from './final-checks.js';
import { VerdictBook } from './verdict-book.js';
import { Workload } from './workload.js';

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

const INVESTORS = 20_000;
/** Every fifth has less money at the bank than the edge believes, so that the ledger declines and room comes back. */
const POOR_EVERY = 5;
const LOAD_MS_MAX = 1_000;
/** This share of kills hits a process that is still starting. */
const EARLY_SHARE = 0.15;
const EARLY_MS_MAX = 400;
const LEDGER_LIFE_MS_MAX = 3_000;
const BALANCES_TIMEOUT_MS = 60_000;
const CHECKED_PER_RESTART = 40;
const RATE_PER_S = 2_500;
const SHARDS_MAX = 3;
/** The smallest that is allowed: the journal changes its segment often. */
const SEGMENT_BYTES = '1048576';
const ROUNDS = [
  { id: 'wide', cap: 100_000_000_000 },
  { id: 'other', cap: 50_000_000_000 },
  { id: 'tight', cap: 20_000_000 },
  { id: 'tiny', cap: 1_000_000 },
];
const AMOUNTS = { amountMin: 1_000, amountMax: 200_000 };

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
  const investors = Array.from({ length: INVESTORS }, (_, i) => `chaos-${i}`);
  for (const round of ROUNDS) await createRound(edge.current, round);
  const rich = AMOUNTS.amountMax * ROUNDS.length;
  const balance = (i: number): number => (i % POOR_EVERY === 0 ? AMOUNTS.amountMin : rich);
  await importInvestors(
    { ledger: ledger.current },
    investors.map((investor, i) => ({ investor, balance: balance(i) })),
  );
  // The ledger tells the edge of every balance; only what the edge is told after that stays as old as a cache can be.
  await balancesSent(ledger.current);
  await importInvestors(
    { edge: edge.current },
    investors.map((investor) => ({ investor, balance: rich })),
  );

  const address = parseAddress(edge.current.publicUrl);
  if (!address.ok) throw new Error(address.error);
  const book = new VerdictBook();
  const clients = { httpClients: 16, gateways: 4, inFlightPerGateway: 16, ratePerS: RATE_PER_S };
  const rounds = ROUNDS.map((round) => round.id);
  const random = seededRandom(options.seed + 3);
  const target = { address: address.value, rounds, investors };
  const workload = new Workload({ ...target, ...AMOUNTS, ...clients, random }, book);
  const caller = new HttpCaller(address.value, 16);
  const caps = new Map(ROUNDS.map((round) => [round.id, round.cap]));
  const subject = (): CheckSubject => ({
    ...{ edge: edge.current, ledger: ledger.current, caller, book, workload, caps },
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
  problems.push(...(await checkCommands(options, common, edge, ledger)));
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

async function balancesSent(ledger: LedgerProcess): Promise<void> {
  const deadline = performance.now() + BALANCES_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const summary = await adminCall(`${ledger.ledgerUrl}/admin/v1/summary`, 'GET');
    if ((summary as { balancesQueued: number }).balancesQueued === 0) return;
    await pause(50);
  }
  throw new Error(`the edge has not confirmed all balances within ${BALANCES_TIMEOUT_MS} ms`);
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

/** `openbell audit` with both running, then an orderly stop, then `openbell journal verify` on the files. */
async function checkCommands(
  options: KillOptions,
  common: { readonly dataDir: string; readonly env: Readonly<Record<string, string>> },
  edge: Victim<EdgeProcess>,
  ledger: Victim<LedgerProcess>,
): Promise<string[]> {
  const problems: string[] = [];
  const audit = await runCommand(['audit'], common);
  options.log(`openbell audit: exit ${audit.code}`);
  if (audit.code !== 0) problems.push(`openbell audit: exit ${audit.code}\n${audit.stdout}${audit.stderr}`);
  for (const [name, victim] of [
    ['edge', edge],
    ['ledger', ledger],
  ] as const) {
    const { code, signal } = await victim.current.stop();
    if (code !== 0) problems.push(`${name} ended with ${code ?? signal} after SIGTERM`);
  }
  const verify = await runCommand(['journal', 'verify'], common);
  options.log(`openbell journal verify: exit ${verify.code}`);
  if (verify.code !== 0)
    problems.push(`openbell journal verify: exit ${verify.code}\n${verify.stdout}${verify.stderr}`);
  return problems;
}
