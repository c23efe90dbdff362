// A small crowd that goes on whatever happens to the node: HTTP and WebSocket clients that ask again with the same key
// until they have the verdict, sometimes ask for an old key, and sometimes walk away without one.

import type { Address } from '../../src/rush/address.js';
import { type Answer, readAnswer } from '../../src/rush/answer.js';
import { HttpCaller } from '../../src/rush/http-caller.js';
import { investmentRequest } from '../../src/rush/http-lane.js';
import type { Lane, LaneHandlers } from '../../src/rush/lane.js';
import { WsLane } from '../../src/rush/ws-lane.js';
import { investorToken } from '../harness/node-process.js';
import type { KeyEntry, VerdictBook } from './verdict-book.js';

export interface WorkloadOptions {
  readonly address: Address;
  readonly rounds: readonly string[];
  readonly investors: readonly string[];
  /** Minor units. */
  readonly amountMin: number;
  readonly amountMax: number;
  readonly httpClients: number;
  readonly gateways: number;
  readonly inFlightPerGateway: number;
  /** Requests a second, all clients together. */
  readonly ratePerS: number;
  readonly random: () => number;
  /** Is told of each request and what came of it; null: nothing, the connection was lost. Times as of `performance`. */
  readonly observe?: (sentMs: number, endedMs: number, answer: Answer | null) => void;
}

const OLD_KEY_SHARE = 0.2;
const WALK_AWAY_SHARE = 0.05;
const PAUSE_AFTER_LOSS_MS = 25;
const PACE_INTERVAL_MS = 5;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #book: VerdictBook;
  readonly #caller: HttpCaller;
  readonly #tokens = new Map<string, string>();
  #stopped = false;
  #allowance = 0;
  #running: Promise<void>[] = [];

  constructor(options: WorkloadOptions, book: VerdictBook) {
    this.#options = options;
    this.#book = book;
    this.#caller = new HttpCaller(options.address, options.httpClients, 5_000);
  }

  /** Starts all clients; they run until `stop`. */
  start(): void {
    const { httpClients, gateways, rounds } = this.#options;
    const http = Array.from({ length: httpClients }, () => this.#httpClient());
    const ws = Array.from({ length: gateways }, (_, i) => this.#gateway(rounds[i % rounds.length] as string));
    this.#running = [...http, ...ws, this.#pacer()];
  }

  /** Ends all clients, without waiting for answers that have not come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    this.#caller.close();
  }

  request(entry: KeyEntry): string {
    const investment = { token: this.token(entry.investor), key: entry.key, amount: entry.amount };
    const options = { round: entry.round, currency: 'GBP', format: 'json' } as const;
    return investmentRequest(this.#options.address, options, investment);
  }

  token(investor: string): string {
    let token = this.#tokens.get(investor);
    if (token === undefined) {
      token = investorToken(investor);
      this.#tokens.set(investor, token);
    }
    return token;
  }

  async #pacer(): Promise<void> {
    const { ratePerS } = this.#options;
    let last = performance.now();
    while (!this.#stopped) {
      await pause(PACE_INTERVAL_MS);
      const now = performance.now();
      this.#allowance = Math.min(ratePerS / 10, this.#allowance + ((now - last) / 1_000) * ratePerS);
      last = now;
    }
  }

  async #turn(): Promise<boolean> {
    while (!this.#stopped && this.#allowance < 1) await pause(PACE_INTERVAL_MS);
    this.#allowance--;
    return !this.#stopped;
  }

  /** What is cut off by our own stop is nobody's fault. */
  #observe(sentMs: number, answer: Answer | null): void {
    if (!this.#stopped) this.#options.observe?.(sentMs, performance.now(), answer);
  }

  #next(round?: string): KeyEntry {
    const { random, rounds, investors, amountMin, amountMax } = this.#options;
    const { entries } = this.#book;
    const old = entries[Math.floor(random() * entries.length)];
    if (random() < OLD_KEY_SHARE && old !== undefined && (round === undefined || old.round === round))
      return old;
    const chosen = round ?? (rounds[Math.floor(random() * rounds.length)] as string);
    const investor = investors[Math.floor(random() * investors.length)] as string;
    const steps = Math.floor((amountMax - amountMin) / 100);
    return this.#book.open(chosen, investor, amountMin + Math.floor(random() * (steps + 1)) * 100);
  }

  async #httpClient(): Promise<void> {
    const { random } = this.#options;
    while (await this.#turn()) {
      const entry = this.#next();
      while (!this.#stopped) {
        const sentMs = performance.now();
        const reply = await this.#caller.once(this.request(entry));
        const answer = readAnswer(reply.status, reply.replayed, reply.body);
        this.#observe(sentMs, reply.status === 0 ? null : answer);
        if (this.#book.record(entry, answer)) break;
        if (random() < WALK_AWAY_SHARE) break;
        await pause(PAUSE_AFTER_LOSS_MS);
      }
    }
  }

  async #gateway(round: string): Promise<void> {
    const { address, inFlightPerGateway, random } = this.#options;
    const { entries } = this.#book;
    const again: number[] = [];
    const sentMs = new Map<number, number>();
    const observe = (attempt: number, answer: Answer | null): void => {
      this.#observe(sentMs.get(attempt) ?? performance.now(), answer);
      sentMs.delete(attempt);
    };
    const handlers: LaneHandlers = {
      onRoom: () => undefined,
      onAnswer: (_lane, attempt, answer) => {
        observe(attempt, answer);
        if (!this.#book.record(entries[attempt] as KeyEntry, answer)) again.push(attempt);
      },
      onLost: (_lane, attempts) => {
        for (const attempt of attempts) observe(attempt, null);
        this.#book.unknowns += attempts.length;
        again.push(...attempts.filter(() => random() >= WALK_AWAY_SHARE));
      },
    };
    const outgoing = {
      token: (attempt: number) => this.token((entries[attempt] as KeyEntry).investor),
      key: (attempt: number) => (entries[attempt] as KeyEntry).key,
      amount: (attempt: number) => (entries[attempt] as KeyEntry).amount,
    };
    const options = { round, currency: 'GBP', format: 'json', inFlightMax: inFlightPerGateway } as const;
    const lane: Lane = new WsLane(address, options, outgoing, handlers);
    while (await this.#turn()) {
      lane.expire(performance.now() - 5_000);
      while (!this.#stopped && !lane.hasRoom()) await pause(PACE_INTERVAL_MS);
      if (this.#stopped) break;
      const attempt = again.shift() ?? this.#next(round).number;
      sentMs.set(attempt, performance.now());
      lane.send(attempt);
    }
    lane.close();
  }
}
