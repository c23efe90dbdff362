// The rounds and the investors of the chaos tests, in the node and at the bank, and the clients that act for them.

import { parseAddress } from '../../src/rush/address.js';
import { HttpCaller } from '../../src/rush/http-caller.js';
import {
  adminCall,
  createRound,
  type EdgeProcess,
  importInvestors,
  type LedgerProcess,
} from '../harness/node-process.js';
import { VerdictBook } from './verdict-book.js';
import { Workload, type WorkloadOptions } from './workload.js';

export interface Crowd {
  readonly book: VerdictBook;
  readonly workload: Workload;
  /** For questions beside the load. */
  readonly caller: HttpCaller;
  /** Caps by round, in minor units. */
  readonly caps: ReadonlyMap<string, number>;
}

const INVESTORS = 20_000;
/** Every fifth has less money at the bank than the edge believes, so that the ledger declines and room comes back. */
const POOR_EVERY = 5;
const BALANCES_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const ROUNDS = [
  { id: 'wide', cap: 100_000_000_000 },
  { id: 'other', cap: 50_000_000_000 },
  { id: 'tight', cap: 20_000_000 },
  { id: 'tiny', cap: 1_000_000 },
];
const AMOUNTS = { amountMin: 1_000, amountMax: 200_000 };
const CLIENTS = { httpClients: 16, gateways: 4, inFlightPerGateway: 16 };

/** Creates the rounds and gives every investor an account. The load is ready and does not run yet. */
export async function gatherCrowd(
  edge: EdgeProcess,
  ledger: LedgerProcess,
  options: Pick<WorkloadOptions, 'ratePerS' | 'random' | 'observe'>,
): Promise<Crowd> {
  const investors = Array.from({ length: INVESTORS }, (_, i) => `chaos-${i}`);
  for (const round of ROUNDS) await createRound(edge, round);
  const rich = AMOUNTS.amountMax * ROUNDS.length;
  const balance = (i: number): number => (i % POOR_EVERY === 0 ? AMOUNTS.amountMin : rich);
  await importInvestors(
    { ledger },
    investors.map((investor, i) => ({ investor, balance: balance(i) })),
  );
  // The ledger tells the edge of every balance; only what the edge is told after that stays as old as a cache can be.
  await balancesSent(ledger);
  await importInvestors(
    { edge },
    investors.map((investor) => ({ investor, balance: rich })),
  );
  const address = parseAddress(edge.publicUrl);
  if (!address.ok) throw new Error(address.error);
  const book = new VerdictBook();
  const rounds = ROUNDS.map((round) => round.id);
  const target = { address: address.value, rounds, investors };
  return {
    book,
    workload: new Workload({ ...target, ...AMOUNTS, ...CLIENTS, ...options }, book),
    caller: new HttpCaller(address.value, CLIENTS.httpClients),
    caps: new Map(ROUNDS.map((round) => [round.id, round.cap])),
  };
}

async function balancesSent(ledger: LedgerProcess): Promise<void> {
  const deadline = performance.now() + BALANCES_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const summary = await adminCall(`${ledger.ledgerUrl}/admin/v1/summary`, 'GET');
    if ((summary as { balancesQueued: number }).balancesQueued === 0) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`the edge has not confirmed all balances within ${BALANCES_TIMEOUT_MS} ms`);
}
