// The outbox: accepted investments go to the ledger, and again, until their outcome has been journaled.
//
// The journal is the outbox's store; the index lists what has no outcome yet. Published and unconfirmed rows are kept
// to a window, so that neither the bus nor the ledger ever holds the rush: it waits here, on disk, in order.

import type { Logger } from 'pino';
import type { InvestmentIds } from '../core/ids.js';
import { timestamp } from '../core/investment-view.js';
import { OUTBOX_PUBLISH_MAX, OUTBOX_TICK_MS, OUTBOX_WINDOW } from '../core/limits.js';
import { encodeMessage, type InvestmentMessage, TOPICS } from '../core/messages.js';
import type { RoundDefinition } from '../core/round.js';
import type { VerdictRow } from '../core/rows.js';
import type { Bus } from '../engines/bus.js';
import { fresh, OutboxPatience, type Pending } from './outbox-patience.js';

/** Accepted rows without an outcome, oldest first, above `sequence`; only what is synced is ever listed. */
export interface OutboxSource {
  outboxAfter(sequence: number, limit: number): readonly VerdictRow[];
}

export interface OutboxModules {
  readonly source: OutboxSource;
  readonly bus: Pick<Bus, 'publish' | 'connected' | 'onConnectedChange' | 'onDoubt'>;
  readonly ids: InvestmentIds;
  readonly epoch: number;
  readonly roundByNumber: (number: number) => RoundDefinition | undefined;
  readonly logger: Logger;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
}

interface Unconfirmed extends Pending {
  readonly body: Buffer;
  readonly acceptedAtMs: number;
}

export class OutboxPublisher {
  readonly #modules: OutboxModules;
  readonly #patience: OutboxPatience;
  readonly #unconfirmed = new Map<number, Unconfirmed>();
  /** Outcomes that came while the index may still list their row. */
  readonly #justDone = new Set<number>();
  #after = 0;
  #timer: NodeJS.Timeout | null = null;
  #republished = 0;

  constructor(modules: OutboxModules) {
    this.#modules = modules;
    this.#patience = new OutboxPatience(modules.random);
  }

  /** Published, without an outcome. */
  get unconfirmed(): number {
    return this.#unconfirmed.size;
  }

  /** Publications that were repetitions. */
  get republished(): number {
    return this.#republished;
  }

  /** How often the bus has taken charge of each unconfirmed one that is not being published now, by sequence. */
  *taken(): Iterable<readonly [sequence: number, times: number]> {
    for (const [sequence, { taken, inFlight }] of this.#unconfirmed) {
      if (taken > 0 && !inFlight) yield [sequence, taken];
    }
  }

  /** When the oldest unconfirmed one was accepted, in milliseconds since the epoch; null when there is none. */
  get oldestAcceptedAtMs(): number | null {
    for (const { acceptedAtMs } of this.#unconfirmed.values()) return acceptedAtMs;
    return null;
  }

  start(): void {
    const { bus, clock } = this.#modules;
    bus.onConnectedChange((connected) => {
      if (connected) this.tick();
    });
    bus.onDoubt(() => {
      for (const each of this.#unconfirmed.values()) this.#patience.doubt(each, clock());
    });
    this.#timer = setInterval(() => this.tick(), OUTBOX_TICK_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** The outcome of this row has been journaled: it is done. */
  confirm(sequence: number): void {
    this.#justDone.add(sequence);
    if (this.#justDone.size > 4 * OUTBOX_WINDOW) {
      const oldest = this.#justDone.values().next();
      if (!oldest.done) this.#justDone.delete(oldest.value);
    }
    const entry = this.#unconfirmed.get(sequence);
    if (entry === undefined) return;
    this.#unconfirmed.delete(sequence);
    this.#patience.confirmed(entry, this.#modules.clock());
  }

  /** Publishes every unconfirmed row again, now; returns how many. The rest of the outbox follows by itself. */
  replay(): number {
    const now = this.#modules.clock();
    let count = 0;
    for (const each of this.#unconfirmed.values()) {
      if (each.inFlight) continue;
      this.#patience.hurry(each, now);
      count++;
    }
    this.tick();
    return count;
  }

  /** Takes in new rows while the window has room, and publishes what is due. */
  tick(): void {
    const { bus } = this.#modules;
    if (!bus.connected) return;
    this.#fill();
    const due = this.#patience.due(this.#unconfirmed.values(), this.#modules.clock());
    for (let at = 0; at < due.length; at += OUTBOX_PUBLISH_MAX)
      this.#publish(due.slice(at, at + OUTBOX_PUBLISH_MAX));
  }

  #fill(): void {
    const room = OUTBOX_WINDOW - this.#unconfirmed.size;
    if (room <= 0) return;
    const { source, clock } = this.#modules;
    for (const row of source.outboxAfter(this.#after, room)) {
      this.#after = row.sequence;
      if (this.#justDone.has(row.sequence)) continue;
      const body = this.#encode(row);
      if (body === null) continue;
      this.#unconfirmed.set(row.sequence, { ...fresh(clock()), body, acceptedAtMs: row.at });
    }
  }

  #encode(row: VerdictRow): Buffer | null {
    const { ids, epoch, roundByNumber, logger } = this.#modules;
    const round = roundByNumber(row.round);
    if (round === undefined) {
      logger.error({ sequence: row.sequence, round: row.round }, 'outbox: a row of an unknown round');
      return null;
    }
    const message: InvestmentMessage = {
      id: ids.idOf(row.sequence),
      round: round.id,
      investor: row.investor,
      amount: row.amount,
      currency: round.currency,
      sequence: row.sequence,
      epoch,
      acceptedAt: timestamp(row.at),
      cap: round.cap,
    };
    return encodeMessage(message);
  }

  #publish(entries: readonly Unconfirmed[]): void {
    const { bus, clock, logger } = this.#modules;
    for (const entry of entries) {
      if (entry.taken > 0) this.#republished++;
      this.#patience.published(entry);
    }
    void bus
      .publish(
        TOPICS.investments,
        entries.map(({ body }) => body),
      )
      .then((result) => {
        const now = clock();
        for (const entry of entries) {
          if (result.ok) this.#patience.taken(entry, now);
          else this.#patience.refused(entry, now);
        }
        if (!result.ok && result.error !== 'closed')
          logger.debug({ reason: result.error }, 'outbox: publish again');
      });
  }
}
