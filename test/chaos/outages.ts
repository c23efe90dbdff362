// What the clients felt, held against what was done to the engines: an answer that did not come, came late or was a 5xx has
// to have a reason, and at acknowledgement `journal` the only ones are the edge itself and etcd, which its lease is from.

import { CASSANDRA_READ_TIMEOUT_MS, NSQ_RESPONSE_TIMEOUT_MS } from '../../src/core/limits.js';
import type { Answer } from '../../src/rush/answer.js';
import type { FaultKind, VictimName } from './fault-plan.js';

interface Outage {
  readonly victim: VictimName | 'machine';
  readonly kind: FaultKind | 'fence' | 'stall';
  readonly fromMs: number;
  /** Infinity while it lasts. */
  toMs: number;
}

interface Disturbance {
  readonly sentMs: number;
  readonly endedMs: number;
  readonly what: string;
}

/** Without these the edge may refuse or be silent. */
const EXCUSES: ReadonlySet<Outage['victim']> = new Set(['edge', 'etcd', 'machine']);
/** The shortest that anyone waits for NSQ or Cassandra: an answer that waited for either is later. */
const LATE_MS = Math.min(NSQ_RESPONSE_TIMEOUT_MS, CASSANDRA_READ_TIMEOUT_MS);

/** Times are those of `performance.now()`. */
export class Outages {
  /** Times that the edge has fenced itself while nothing was done to it or to etcd. */
  fencedUnasked = 0;
  /** Times that the whole machine stood still, as this process felt it. */
  stalls = 0;
  readonly #outages: Outage[] = [];
  readonly #open = new Set<Outage>();
  readonly #disturbances: Disturbance[] = [];
  readonly #wentOn = new Map<string, number>();
  #soundMs = 0;

  /** A fault begins; call the result when what it hit, and all that hangs on it, is well again. */
  begin(victim: VictimName, kind: FaultKind, nowMs: number): (nowMs: number) => void {
    return this.#begin({ victim, kind, fromMs: nowMs, toMs: Number.POSITIVE_INFINITY });
  }

  /** The edge was seen to hold its lease. */
  sound(nowMs: number): void {
    this.#soundMs = nowMs;
  }

  /**
   * The edge has just ended because its lease was not confirmed; call the result when it is ready again. Without a fault
   * of its own or of etcd that is the machine's doing, which had no time for it: excused, and counted.
   */
  fenced(nowMs: number): (nowMs: number) => void {
    const fromMs = this.#soundMs;
    if (!this.#during(fromMs, nowMs).some(isExcuse)) this.fencedUnasked++;
    return this.#begin({ victim: 'edge', kind: 'fence', fromMs, toMs: Number.POSITIVE_INFINITY });
  }

  /** Nothing ran at all for a while, not even this process. */
  stalled(fromMs: number, toMs: number): void {
    this.stalls++;
    this.#outages.push({ victim: 'machine', kind: 'stall', fromMs, toMs });
  }

  /** One request of a client and its answer; null: the connection was lost. */
  observe(sentMs: number, endedMs: number, answer: Answer | null): void {
    const isVerdict = answer !== null && answer.status < 500 && answer.status !== 429;
    if (!isVerdict || endedMs - sentMs > LATE_MS) {
      const what = answer === null ? 'no answer' : `${answer.status} ${answer.code}`;
      this.#disturbances.push({ sentMs, endedMs, what });
      return;
    }
    for (const { victim, kind, fromMs } of this.#open) {
      if (fromMs > sentMs || EXCUSES.has(victim)) continue;
      const name = `${victim} ${kind}`;
      this.#wentOn.set(name, (this.#wentOn.get(name) ?? 0) + 1);
    }
  }

  /** Verdicts that were asked for and told while a fault lasted, such as `nsqd kill`. */
  wentOn(fault: string): number {
    return this.#wentOn.get(fault) ?? 0;
  }

  /** How many answers were lost, late or refused, by what they were. */
  felt(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { what } of this.#disturbances) counts[what] = (counts[what] ?? 0) + 1;
    return counts;
  }

  /** Those of which neither the edge nor etcd is the reason, counted by what they were and what was going on. */
  unexcused(): string[] {
    const counts = new Map<string, { count: number; readonly first: Disturbance }>();
    for (const disturbance of this.#disturbances) {
      const during = this.#during(disturbance.sentMs, disturbance.endedMs);
      if (during.some(isExcuse)) continue;
      const names = [...new Set(during.map(({ victim, kind }) => `${victim} ${kind}`))].sort();
      const name = `${disturbance.what} during ${names.join(', ') || 'no fault'}`;
      const known = counts.get(name);
      if (known === undefined) counts.set(name, { count: 1, first: disturbance });
      else known.count++;
    }
    return [...counts].map(([name, { count, first }]) => {
      const tookMs = Math.round(first.endedMs - first.sentMs);
      return `${count} times ${name}; the first at ${Math.round(first.sentMs)} ms, after ${tookMs} ms`;
    });
  }

  #begin(outage: Outage): (nowMs: number) => void {
    this.#outages.push(outage);
    this.#open.add(outage);
    return (endMs) => {
      outage.toMs = endMs;
      this.#open.delete(outage);
    };
  }

  #during(fromMs: number, toMs: number): Outage[] {
    return this.#outages.filter((outage) => outage.fromMs <= toMs && outage.toMs >= fromMs);
  }
}

function isExcuse({ victim }: Outage): boolean {
  return EXCUSES.has(victim);
}
