// The run's own log of what it sent and heard, one row per attempt in columns: what the node says at the end is
// compared with this, and with nothing that the node has counted itself.

import { type Answer, STICKY_CODES, sameVerdict } from './answer.js';

export const STATE = { waiting: 0, answered: 1, unknown: 2, dropped: 3 } as const;
export const STATE_NAMES = ['waiting', 'answered', 'unknown', 'dropped'] as const;

/** Two verdicts for one key: what must never be. */
export interface Contradiction {
  readonly first: number;
  readonly firstAnswer: Answer;
  readonly second: number;
  readonly secondAnswer: Answer;
}

const CAPACITY_FIRST = 65_536;
const CONTRADICTIONS_KEPT_MAX = 100;
const FLAG_REPLAYED = 1;
const FLAG_WS = 2;

export class AnswerLog {
  readonly contradictions: Contradiction[] = [];
  contradictionCount = 0;
  /** Attempts that were begun and are neither answered nor given up. */
  open = 0;
  readonly #codes: string[] = [];
  readonly #codeNumbers = new Map<string, number>();
  readonly #ids: (string | undefined)[] = [];
  #states = new Uint8Array(CAPACITY_FIRST);
  #flags = new Uint8Array(CAPACITY_FIRST);
  #retries = new Uint8Array(CAPACITY_FIRST);
  #statuses = new Uint16Array(CAPACITY_FIRST);
  #codeOf = new Uint16Array(CAPACITY_FIRST);
  #dueMs = new Float64Array(CAPACITY_FIRST);
  #answeredMs = new Float64Array(CAPACITY_FIRST);
  #remaining = new Float64Array(CAPACITY_FIRST);
  /** By origin: 1 + the first attempt with a sticky verdict for that key, or 0. */
  #firstSticky = new Uint32Array(CAPACITY_FIRST);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Begins the next attempt; attempts are begun in order of their number. */
  begin(attempt: number, dueMs: number): void {
    if (attempt === this.#states.length) this.#grow();
    this.#size = attempt + 1;
    this.#dueMs[attempt] = dueMs;
    this.open++;
  }

  /** Takes an answer in; a verdict that differs from an earlier one for the same key is kept as a contradiction. */
  answered(attempt: number, origin: number, answer: Answer, transport: 'http' | 'ws', nowMs: number): void {
    if (this.#states[attempt] === STATE.answered) return;
    if (this.#states[attempt] === STATE.waiting) this.open--;
    this.#states[attempt] = STATE.answered;
    this.#flags[attempt] = (answer.replayed ? FLAG_REPLAYED : 0) | (transport === 'ws' ? FLAG_WS : 0);
    this.#statuses[attempt] = answer.status;
    this.#codeOf[attempt] = this.#codeNumber(answer.code);
    this.#answeredMs[attempt] = nowMs;
    this.#remaining[attempt] = answer.remaining;
    if (answer.id !== undefined) this.#ids[attempt] = answer.id;
    if (!STICKY_CODES.has(answer.code)) return;
    const first = (this.#firstSticky[origin] as number) - 1;
    if (first < 0) {
      this.#firstSticky[origin] = attempt + 1;
      return;
    }
    const firstAnswer = this.answer(first);
    if (sameVerdict(firstAnswer, answer)) return;
    this.contradictionCount++;
    if (this.contradictions.length < CONTRADICTIONS_KEPT_MAX) {
      this.contradictions.push({ first, firstAnswer, second: attempt, secondAnswer: answer });
    }
  }

  /** No connection was free within the bound: the attempt was never sent. */
  dropped(attempt: number): void {
    this.#states[attempt] = STATE.dropped;
    this.open--;
  }

  /** Asked often enough without an answer. */
  unknown(attempt: number): void {
    if (this.#states[attempt] !== STATE.waiting) return;
    this.#states[attempt] = STATE.unknown;
    this.open--;
  }

  /** Counts one more time that the attempt is asked again, and returns how many that makes. */
  retried(attempt: number): number {
    const tries = (this.#retries[attempt] as number) + 1;
    this.#retries[attempt] = tries;
    return tries;
  }

  state(attempt: number): number {
    return this.#states[attempt] as number;
  }

  code(attempt: number): string {
    return this.#codes[this.#codeOf[attempt] as number] as string;
  }

  isReplayed(attempt: number): boolean {
    return ((this.#flags[attempt] as number) & FLAG_REPLAYED) !== 0;
  }

  transport(attempt: number): 'http' | 'ws' {
    return ((this.#flags[attempt] as number) & FLAG_WS) !== 0 ? 'ws' : 'http';
  }

  retries(attempt: number): number {
    return this.#retries[attempt] as number;
  }

  dueMs(attempt: number): number {
    return this.#dueMs[attempt] as number;
  }

  answeredMs(attempt: number): number {
    return this.#answeredMs[attempt] as number;
  }

  /** The answer of an answered attempt. */
  answer(attempt: number): Answer {
    return {
      status: this.#statuses[attempt] as number,
      code: this.code(attempt),
      replayed: this.isReplayed(attempt),
      id: this.#ids[attempt],
      remaining: this.#remaining[attempt] as number,
    };
  }

  /** The first attempt with a sticky verdict for the key of this origin, or -1. */
  firstSticky(origin: number): number {
    return (this.#firstSticky[origin] as number) - 1;
  }

  #codeNumber(code: string): number {
    const known = this.#codeNumbers.get(code);
    if (known !== undefined) return known;
    this.#codes.push(code);
    this.#codeNumbers.set(code, this.#codes.length - 1);
    return this.#codes.length - 1;
  }

  #grow(): void {
    const capacity = this.#states.length * 2;
    const bytes = (old: Uint8Array): Uint8Array<ArrayBuffer> => {
      const grown = new Uint8Array(capacity);
      grown.set(old);
      return grown;
    };
    const words = (old: Uint16Array): Uint16Array<ArrayBuffer> => {
      const grown = new Uint16Array(capacity);
      grown.set(old);
      return grown;
    };
    const doubles = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(capacity);
      grown.set(old);
      return grown;
    };
    const first = new Uint32Array(capacity);
    first.set(this.#firstSticky);
    this.#firstSticky = first;
    [this.#states, this.#flags, this.#retries] = [
      bytes(this.#states),
      bytes(this.#flags),
      bytes(this.#retries),
    ];
    [this.#statuses, this.#codeOf] = [words(this.#statuses), words(this.#codeOf)];
    [this.#dueMs, this.#answeredMs] = [doubles(this.#dueMs), doubles(this.#answeredMs)];
    this.#remaining = doubles(this.#remaining);
  }
}
