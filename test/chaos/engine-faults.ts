// Brings the faults of a plan about, in its order, several at a time: a fault begins when its victim is well again and few
// enough others are going on. Only processes that this run has started are signalled, by their pid.

import type { Engine } from '../harness/engine-process.js';
import type { EdgeProcess, LedgerProcess } from '../harness/node-process.js';
import type { Fault, VictimName } from './fault-plan.js';
import type { Outages } from './outages.js';
import type { Supervised } from './supervised.js';
import { readMetrics } from './vigil.js';

/** How often each fault was brought about, by `victim kind`. */
export type Faults = Record<string, number>;

export interface FaultWorld {
  readonly nsqd: Engine;
  readonly etcd: Engine;
  readonly cassandra: Engine;
  readonly edge: Supervised<EdgeProcess>;
  readonly ledger: Supervised<LedgerProcess>;
  readonly outages: Outages;
  readonly leaseTtlS: number;
  /** Of the edge. */
  readonly adminUrl: string;
  log(text: string): void;
}

const AT_A_TIME = 3;
/** Milliseconds, each above what those who wait for it wait for: NSQ 10 s a publish, Cassandra 4 s a request. */
const ENGINE_PAUSE_MS = { nsqd: 11_000, cassandra: 8_000 };
/** Above the 15 s after which nsqd gives the ledger's messages to somebody else. */
const LEDGER_PAUSE_MS = 16_000;
const BEYOND_LEASE_MS = 1_500;
const POLL_MS = 50;
const LEASE_TIMEOUT_MS = 60_000;
/** Of the lease's life, that a keepalive confirmed after the fault leaves. */
const FRESH_LEASE_SHARE = 0.4;

/** Resolves when every fault is over and everything is well again. */
export async function runFaults(plan: readonly Fault[], world: FaultWorld): Promise<Faults> {
  const done: Faults = {};
  const going = new Map<VictimName, Promise<void>>();
  let failure: unknown;
  for (const [index, fault] of plan.entries()) {
    const { victim, kind, gapMs } = fault;
    await going.get(victim);
    while (going.size >= AT_A_TIME) await Promise.race(going.values());
    await pause(gapMs);
    if (failure !== undefined) break;
    const name = `${victim} ${kind}`;
    const others = [...going.keys()].join(', ');
    world.log(`${index + 1} of ${plan.length}: ${name}${others === '' ? '' : `, beside ${others}`}`);
    const strike = bringAbout(fault, world).then(
      () => {
        going.delete(victim);
        done[name] = (done[name] ?? 0) + 1;
      },
      (error: unknown) => {
        going.delete(victim);
        failure ??= error;
      },
    );
    going.set(victim, strike);
  }
  await Promise.all(going.values());
  if (failure !== undefined) throw failure;
  return done;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function bringAbout({ victim, kind, downMs }: Fault, world: FaultWorld): Promise<void> {
  const { edge, ledger, leaseTtlS } = world;
  const end = world.outages.begin(victim, kind, performance.now());
  const leaseMs = leaseTtlS * 1_000 + BEYOND_LEASE_MS;
  if (victim === 'edge') await (kind === 'kill' ? edge.kill() : edge.pause(leaseMs));
  else if (victim === 'ledger') await (kind === 'kill' ? ledger.kill() : ledger.pause(LEDGER_PAUSE_MS));
  else if (kind === 'kill') await killEngine(world[victim], downMs);
  else await pauseEngine(world[victim], victim === 'etcd' ? leaseMs : ENGINE_PAUSE_MS[victim]);
  // Whoever lost its lease has to be back, and whoever kept it has to have heard that it still has it.
  if (victim === 'edge' || victim === 'etcd') await freshLease(world);
  if (victim === 'ledger' || victim === 'etcd') await ledger.untilReady();
  end(performance.now());
}

async function killEngine(engine: Engine, downMs: number): Promise<void> {
  await engine.kill();
  await pause(downMs);
  await engine.restart();
}

async function pauseEngine(engine: Engine, pauseMs: number): Promise<void> {
  await engine.pause();
  await pause(pauseMs);
  engine.resume();
  await engine.waitReady();
}

/** Resolves when the edge is ready, with a lease that was confirmed a moment ago. */
async function freshLease({ edge, adminUrl, leaseTtlS }: FaultWorld): Promise<void> {
  const deadline = performance.now() + LEASE_TIMEOUT_MS;
  for (;;) {
    await edge.untilReady();
    const remainingS = (await readMetrics(adminUrl))?.get('openbell_lease_remaining_seconds') ?? 0;
    if (remainingS > leaseTtlS * FRESH_LEASE_SHARE) return;
    if (performance.now() > deadline) throw new Error(`the lease has ${remainingS} s and gets no longer`);
    await pause(POLL_MS);
  }
}
