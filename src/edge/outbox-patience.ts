// When an investment that was published and has no outcome is published again. Too late leaves an investor waiting, too
// soon sends a slow ledger the same thing over and over; what decides is whether the message can still be on its way.
//
// A broker keeps what it has taken, and a ledger that is slow or away loses nothing: time alone is no reason. So a
// published row is due again
//  - soon after a broker went away, for what it had in its memory is gone (`doubt`);
//  - soon after an outcome came for one that was published later: queues are in order, more or less (overtaken);
//  - when no outcome at all has come for a minute, doubled each time: then a few rows are, as probes. The newest tell by
//    their outcomes that all before them were overtaken; those that were left in peace the longest have their turn.

import {
  OUTBOX_DOUBT_MS,
  OUTBOX_OVERTAKEN_MS,
  OUTBOX_PROBES_MAX,
  OUTBOX_REPUBLISH_MAX_MS,
  OUTBOX_REPUBLISH_MIN_MS,
  OUTBOX_RETRY_MAX_MS,
  OUTBOX_TICK_MS,
} from '../core/limits.js';

/** One row on its way. Times are of the monotonic clock, in milliseconds. */
export interface Pending {
  /** Publishes that the bus took charge of. */
  taken: number;
  /** Publishes in a row that it did not. */
  failed: number;
  /** The bus has it and has not said what became of it. */
  inFlight: boolean;
  /** When it is published, or may be a probe. */
  dueAtMs: number;
  /** It may be lost, and is published then. */
  doubtDueAtMs: number;
  /** Since when one that was published later has its outcome. */
  overtakenAtMs: number;
  /** Places of its first and its last publish among all publishes. */
  firstPlace: number;
  lastPlace: number;
}

/** A row that has not been published. */
export const fresh = (nowMs: number): Pending => ({
  taken: 0,
  failed: 0,
  inFlight: false,
  dueAtMs: nowMs,
  doubtDueAtMs: Number.POSITIVE_INFINITY,
  overtakenAtMs: Number.POSITIVE_INFINITY,
  firstPlace: 0,
  lastPlace: 0,
});

const doubled = (ms: number, times: number, maxMs: number): number =>
  Math.min(maxMs, ms * 2 ** Math.min(times, 20));

export class OutboxPatience {
  readonly #random: () => number;
  #place = 0;
  /** The last place of which an outcome tells that it was reached. */
  #reached = 0;
  #progressAtMs = Number.NEGATIVE_INFINITY;
  #probedAtMs = Number.NEGATIVE_INFINITY;
  #probesWithoutProgress = 0;

  /** @param random 0 to 1, for up to a quarter of jitter */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** It is given to the bus. */
  published(entry: Pending): void {
    entry.inFlight = true;
    this.#place++;
    if (entry.firstPlace === 0) entry.firstPlace = this.#place;
    entry.lastPlace = this.#place;
    entry.doubtDueAtMs = Number.POSITIVE_INFINITY;
    entry.overtakenAtMs = Number.POSITIVE_INFINITY;
  }

  /** The bus took charge of it. */
  taken(entry: Pending, nowMs: number): void {
    entry.inFlight = false;
    entry.failed = 0;
    entry.dueAtMs =
      nowMs + this.#jittered(doubled(OUTBOX_REPUBLISH_MIN_MS, entry.taken, OUTBOX_REPUBLISH_MAX_MS));
    entry.taken++;
  }

  /** The bus did not, or it is not known. */
  refused(entry: Pending, nowMs: number): void {
    entry.inFlight = false;
    entry.dueAtMs = nowMs + doubled(OUTBOX_TICK_MS, entry.failed, OUTBOX_RETRY_MAX_MS);
    entry.failed++;
  }

  /** What the bus has taken of it may be lost. A broker that comes and goes does not get it each time. */
  doubt(entry: Pending, nowMs: number): void {
    if (entry.taken === 0 || entry.inFlight) return;
    const dueAtMs =
      nowMs + this.#jittered(doubled(OUTBOX_DOUBT_MS, entry.taken - 1, OUTBOX_REPUBLISH_MAX_MS));
    entry.doubtDueAtMs = Math.min(entry.doubtDueAtMs, dueAtMs);
  }

  /** An operator does not want to wait. */
  hurry(entry: Pending, nowMs: number): void {
    entry.dueAtMs = nowMs;
    entry.doubtDueAtMs = nowMs;
  }

  /** Its outcome has come. Which of its publishes brought it is not known: the first one is taken to have. */
  confirmed(entry: Pending, nowMs: number): void {
    this.#progressAtMs = nowMs;
    this.#probesWithoutProgress = 0;
    this.#reached = Math.max(this.#reached, entry.firstPlace);
  }

  /** Those of the entries that are to be published now, in the order given. */
  due<T extends Pending>(entries: Iterable<T>, nowMs: number): T[] {
    const due: T[] = [];
    const patient: T[] = [];
    let isPatienceOver = false;
    for (const entry of entries) {
      if (entry.inFlight) continue;
      if (this.#isDue(entry, nowMs)) due.push(entry);
      else if (entry.taken > 0) {
        patient.push(entry);
        isPatienceOver ||= entry.dueAtMs <= nowMs;
      }
    }
    return due.length === 0 && isPatienceOver ? this.#probes(patient, nowMs) : due;
  }

  #isDue(entry: Pending, nowMs: number): boolean {
    // Never published, or the bus did not take it the last time.
    if (entry.taken === 0 || entry.failed > 0) return entry.dueAtMs <= nowMs;
    if (entry.doubtDueAtMs <= nowMs) return true;
    if (entry.lastPlace >= this.#reached) return false;
    entry.overtakenAtMs = Math.min(entry.overtakenAtMs, nowMs);
    return (
      nowMs - entry.overtakenAtMs >= doubled(OUTBOX_OVERTAKEN_MS, entry.taken - 1, OUTBOX_REPUBLISH_MAX_MS)
    );
  }

  #probes<T extends Pending>(patient: readonly T[], nowMs: number): T[] {
    const quietMs = nowMs - Math.max(this.#progressAtMs, this.#probedAtMs);
    if (quietMs < doubled(OUTBOX_REPUBLISH_MIN_MS, this.#probesWithoutProgress, OUTBOX_REPUBLISH_MAX_MS))
      return [];
    this.#probedAtMs = nowMs;
    this.#probesWithoutProgress++;
    const byPlace = patient.toSorted((one, other) => one.lastPlace - other.lastPlace);
    const half = OUTBOX_PROBES_MAX / 2;
    return byPlace.length <= OUTBOX_PROBES_MAX
      ? byPlace
      : [...byPlace.slice(0, half), ...byPlace.slice(-half)];
  }

  #jittered(ms: number): number {
    return ms * (1 + this.#random() / 4);
  }
}
