// Which process meets which fault, in which order: drawn from a seed, so that the same seed gives the same order again.

import { seededRandom } from '../../src/rush/random.js';

export const VICTIMS = ['nsqd', 'cassandra', 'etcd', 'ledger', 'edge'] as const;
export type VictimName = (typeof VICTIMS)[number];

/** `kill`: SIGKILL, and up again. `pause`: SIGSTOP for longer than the timeouts of all who wait for it, then SIGCONT. */
export const FAULT_KINDS = ['kill', 'pause'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly victim: VictimName;
  readonly kind: FaultKind;
  /** Milliseconds after the fault before it has begun. */
  readonly gapMs: number;
  /** Milliseconds that a killed engine stays away before it is started again. */
  readonly downMs: number;
}

const GAP_MS_MIN = 200;
const GAP_MS_MAX = 1_500;
const DOWN_MS_MAX = 2_000;

/** Each of these faults of each victim so many times, shuffled. */
export function faultPlan(seed: number, each: number, kinds: readonly FaultKind[]): Fault[] {
  const random = seededRandom(seed);
  const upTo = (low: number, high: number): number => low + Math.floor(random() * (high - low));
  const faults: Fault[] = [];
  for (const victim of VICTIMS)
    for (const kind of kinds)
      for (let i = 0; i < each; i++)
        faults.push({ victim, kind, gapMs: upTo(GAP_MS_MIN, GAP_MS_MAX), downMs: upTo(0, DOWN_MS_MAX) });
  for (let i = faults.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [faults[i], faults[j]] = [faults[j] as Fault, faults[i] as Fault];
  }
  return faults;
}
