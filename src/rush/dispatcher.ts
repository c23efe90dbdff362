// Sends each attempt at its time over whichever lane has room, and asks again for those that got no answer.
//
//   due ──▶ lane with room? ──▶ in flight ──▶ answer ──▶ log, histogram (answer − due)
//             │ no                   │ lost, timeout, 5xx: unknown
//             ▼                      ▼
//          backlog (bounded,      retry queue of that many tries (each queue has one delay, so it is sorted)
//          else dropped)             └──▶ asked again with the same key, at most RUSH_RETRIES_MAX times

import hdr, { type Histogram } from 'hdr-histogram-js';
import {
  RUSH_ATTEMPTS_MAX,
  RUSH_BACKLOG_ATTEMPTS_MAX,
  RUSH_DRAIN_MS,
  RUSH_REQUEST_TIMEOUT_MS,
  RUSH_RETRIES_MAX,
} from '../core/limits.js';
import type { Answer } from './answer.js';
import type { AnswerLog } from './answer-log.js';
import { type Curve, dueMs } from './curve.js';
import { Fifo } from './fifo.js';
import type { Lane, LaneHandlers } from './lane.js';
import type { Plan } from './plan.js';

export interface Schedule {
  /** Per second; 0: each connection sends again as soon as it has its answer. */
  readonly rate: number;
  /** Infinity with a rate of 0 and a number of attempts. */
  readonly durationMs: number;
  /** With a rate: exactly this many. Without: at most. */
  readonly attempts: number;
  readonly curve: Curve;
}

export interface DispatchBounds {
  /** Attempts that may wait for a lane. */
  readonly backlogAttempts: number;
  readonly retries: number;
  readonly requestTimeoutMs: number;
  readonly drainMs: number;
}

const BOUNDS: DispatchBounds = {
  backlogAttempts: RUSH_BACKLOG_ATTEMPTS_MAX,
  retries: RUSH_RETRIES_MAX,
  requestTimeoutMs: RUSH_REQUEST_TIMEOUT_MS,
  drainMs: RUSH_DRAIN_MS,
};

export interface DispatchTimes {
  startMs: number;
  /** When the last attempt was begun. */
  lastSendMs: number;
  lastAnswerMs: number;
}

interface Retry {
  readonly attempt: number;
  readonly atMs: number;
}

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2_000;
const IDLE_TICK_MS = 20;
const EXPIRE_INTERVAL_MS = 250;
const MICROSECONDS_MAX = 3_600_000_000;

function microsecondHistogram(): Histogram {
  return hdr.build({
    highestTrackableValue: MICROSECONDS_MAX,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  });
}

export class Dispatcher implements LaneHandlers {
  /** Microseconds from the intended time to the answer. */
  readonly latency = microsecondHistogram();
  /** Microseconds from the intended time to the first byte sent: the tool's own part of the latency. */
  readonly lateness = microsecondHistogram();
  readonly times: DispatchTimes = { startMs: 0, lastSendMs: 0, lastAnswerMs: 0 };
  /** Why attempts were asked again, with how often. */
  readonly losses = new Map<string, number>();
  retries = 0;
  readonly #plan: Plan;
  readonly #log: AnswerLog;
  readonly #schedule: Schedule;
  readonly #bounds: DispatchBounds;
  readonly #lanes: Lane[] = [];
  readonly #free = new Fifo<Lane>();
  readonly #backlog = new Fifo<number>();
  readonly #retryQueues: Fifo<Retry>[];
  #sending = false;
  #lastExpiryMs = 0;
  #finish: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #connected: (() => void) | undefined;

  constructor(plan: Plan, log: AnswerLog, schedule: Schedule, bounds: DispatchBounds = BOUNDS) {
    this.#bounds = bounds;
    this.#retryQueues = Array.from({ length: bounds.retries }, () => new Fifo<Retry>());
    this.#plan = plan;
    this.#log = log;
    this.#schedule = schedule;
  }

  /** Attempts that have been begun. */
  get begun(): number {
    return this.#plan.count;
  }

  /** Opens lanes; resolves to true once all have room, or when time is up to whether any has. */
  async connect(makeLanes: () => Lane[], timeoutMs: number): Promise<boolean> {
    const wait = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#connected = () => {
        if (this.#free.size < this.#lanes.length) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#lanes.push(...makeLanes());
    await wait;
    this.#connected = undefined;
    return this.#lanes.some((lane) => lane.hasRoom());
  }

  /** Sends everything; resolves when each attempt is answered, unknown or dropped. */
  async run(signal: AbortSignal): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    this.times.startMs = performance.now();
    this.#sending = true;
    signal.addEventListener('abort', () => this.#stopSending(), { once: true });
    this.#tick();
    await done;
    clearTimeout(this.#timer);
    for (const lane of this.#lanes) lane.close();
  }

  onRoom(lane: Lane): void {
    if (!lane.queued) {
      lane.queued = true;
      this.#free.push(lane);
    }
    this.#connected?.();
    this.#fill();
  }

  onAnswer(lane: Lane, attempt: number, answer: Answer): void {
    if (answer.status >= 500) {
      this.#lost(attempt, answer.code);
      return;
    }
    const now = performance.now();
    this.times.lastAnswerMs = now;
    this.latency.recordValue(microseconds(now - this.#log.dueMs(attempt)));
    this.#log.answered(attempt, this.#plan.origin(attempt), answer, lane.transport, now);
  }

  onLost(_lane: Lane, attempts: readonly number[], reason: string): void {
    for (const attempt of attempts) this.#lost(attempt, reason);
  }

  #lost(attempt: number, reason: string): void {
    this.losses.set(reason, (this.losses.get(reason) ?? 0) + 1);
    const tries = this.#log.retried(attempt);
    const queue = this.#retryQueues[tries - 1];
    if (queue === undefined) {
      this.#log.unknown(attempt);
      return;
    }
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (tries - 1));
    queue.push({ attempt, atMs: performance.now() + delayMs });
  }

  /** A lane with room, or undefined. */
  #lane(): Lane | undefined {
    for (let lane = this.#free.shift(); lane !== undefined; lane = this.#free.shift()) {
      lane.queued = false;
      if (lane.hasRoom()) return lane;
    }
    return undefined;
  }

  #send(lane: Lane, attempt: number): void {
    if (this.#log.retries(attempt) === 0) {
      this.lateness.recordValue(microseconds(performance.now() - this.#log.dueMs(attempt)));
    }
    lane.send(attempt);
    if (!lane.queued && lane.hasRoom()) {
      lane.queued = true;
      this.#free.push(lane);
    }
  }

  #offer(attempt: number): void {
    const lane = this.#backlog.size === 0 ? this.#lane() : undefined;
    if (lane !== undefined) this.#send(lane, attempt);
    else if (this.#backlog.size < this.#bounds.backlogAttempts) this.#backlog.push(attempt);
    else this.#log.dropped(attempt);
  }

  /** Gives room to what waits for it; in a closed loop to new attempts as well. */
  #fill(): void {
    while (this.#backlog.size > 0 || this.#mayBegin()) {
      const lane = this.#lane();
      if (lane === undefined) return;
      const waiting = this.#backlog.shift();
      if (waiting !== undefined) this.#send(lane, waiting);
      else this.#send(lane, this.#begin(performance.now()));
    }
  }

  #mayBegin(): boolean {
    if (!this.#sending || this.#schedule.rate > 0) return false;
    const late = performance.now() - this.times.startMs >= this.#schedule.durationMs;
    if (late || this.#plan.count >= Math.min(this.#schedule.attempts, RUSH_ATTEMPTS_MAX)) this.#stopSending();
    return this.#sending;
  }

  #begin(due: number): number {
    const attempt = this.#plan.next();
    this.#log.begin(attempt, due);
    this.times.lastSendMs = due;
    return attempt;
  }

  #stopSending(): void {
    this.#sending = false;
  }

  /** Begins what is due and returns when the next attempt is. */
  #beginDue(now: number): number {
    const { rate, attempts, curve, durationMs } = this.#schedule;
    if (rate === 0) return Number.POSITIVE_INFINITY;
    while (this.#sending) {
      if (this.#plan.count >= attempts) this.#stopSending();
      else {
        const due = this.times.startMs + dueMs(curve, this.#plan.count, attempts, durationMs);
        if (due > now) return due;
        this.#offer(this.#begin(due));
      }
    }
    return Number.POSITIVE_INFINITY;
  }

  #retryDue(now: number): void {
    for (const queue of this.#retryQueues) {
      for (let head = queue.peek(); head !== undefined && head.atMs <= now; head = queue.peek()) {
        queue.shift();
        this.retries++;
        this.#offer(head.attempt);
      }
    }
  }

  #tick(): void {
    const now = performance.now();
    const next = this.#beginDue(now);
    this.#retryDue(now);
    this.#fill();
    if (now - this.#lastExpiryMs >= EXPIRE_INTERVAL_MS) {
      this.#lastExpiryMs = now;
      for (const lane of this.#lanes) lane.expire(now - this.#bounds.requestTimeoutMs);
    }
    if (!this.#sending && (this.#log.open === 0 || now - this.times.lastSendMs > this.#bounds.drainMs)) {
      for (let attempt = 0; attempt < this.#log.size && this.#log.open > 0; attempt++)
        this.#log.unknown(attempt);
      this.#finish?.();
      return;
    }
    const waitMs = Math.min(IDLE_TICK_MS, Math.max(0, next - performance.now()));
    this.#timer = setTimeout(() => this.#tick(), waitMs);
  }
}

function microseconds(ms: number): number {
  return Math.min(MICROSECONDS_MAX, Math.max(0, Math.round(ms * 1_000)));
}
