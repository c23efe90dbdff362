// Who is connected: for progress ticks to everybody, and for outcomes to the investor they are about.

import { LIVE_TICK_MS, LIVE_TICK_SLICE } from '../core/limits.js';
import { packMsgpack } from '../core/msgpack.js';
import { CLOSE, type LiveConnection } from './live-connection.js';

interface RoundBytes {
  readonly view: unknown;
  readonly json: string;
  readonly msgpack: Uint8Array;
}

export interface RegistryModules {
  /** The view of a round, the same object as long as nothing but the clock has changed. */
  readonly round: (id: string) => RoundProgress | undefined;
}

/** What makes one tick different from the one before. */
export interface RoundProgress {
  readonly sequence: number;
  readonly state: string;
}

export class LiveRegistry {
  readonly #modules: RegistryModules;
  readonly #connections = new Set<LiveConnection>();
  readonly #byInvestor = new Map<string, Set<LiveConnection>>();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(modules: RegistryModules) {
    this.#modules = modules;
  }

  get size(): number {
    return this.#connections.size;
  }

  add(connection: LiveConnection): void {
    this.#connections.add(connection);
    if (connection.investor !== '') this.#watch(connection);
  }

  remove(connection: LiveConnection): void {
    this.#connections.delete(connection);
    this.#forget(connection, connection.investor);
  }

  /** The connection has presented a token. */
  identified(connection: LiveConnection, before: string): void {
    if (before !== '') this.#forget(connection, before);
    this.#watch(connection);
  }

  /** Tells the investor's connections in this round what became of an investment. */
  outcome(round: string, investor: string, investment: Record<string, unknown>): void {
    for (const connection of this.#byInvestor.get(investor) ?? []) {
      if (connection.roundId === round) connection.send({ type: 'outcome', investment });
    }
  }

  /** Starts the ticks: at most one per connection and LIVE_TICK_MS, of the newest state, while it changes. */
  start(): void {
    this.#schedule();
  }

  /** Ends the ticks and closes every connection. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const connection of [...this.#connections])
      connection.close(CLOSE.goingAway, 'the node is stopping');
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#tick([...this.#connections], 0, new Map()), LIVE_TICK_MS);
    this.#timer.unref();
  }

  /** A slice of the connections per loop turn: with many watchers the ticks get rarer, and verdicts stay in time. */
  #tick(connections: readonly LiveConnection[], from: number, bytes: Map<string, RoundBytes | null>): void {
    if (this.#stopped) return;
    const end = Math.min(connections.length, from + LIVE_TICK_SLICE);
    for (let at = from; at < end; at++) this.#tickOne(connections[at]!, bytes);
    if (end < connections.length) setImmediate(() => this.#tick(connections, end, bytes));
    else this.#schedule();
  }

  #tickOne(connection: LiveConnection, kept: Map<string, RoundBytes | null>): void {
    let bytes = kept.get(connection.roundId);
    if (bytes === undefined) {
      bytes = encodeTick(this.#modules.round(connection.roundId));
      kept.set(connection.roundId, bytes);
    }
    if (bytes === null || connection.lastTick === bytes.view) return;
    if (connection.tick(connection.msgpack ? bytes.msgpack : bytes.json)) connection.lastTick = bytes.view;
  }

  #watch(connection: LiveConnection): void {
    const mine = this.#byInvestor.get(connection.investor);
    if (mine === undefined) this.#byInvestor.set(connection.investor, new Set([connection]));
    else mine.add(connection);
  }

  #forget(connection: LiveConnection, investor: string): void {
    const mine = this.#byInvestor.get(investor);
    if (mine === undefined) return;
    mine.delete(connection);
    if (mine.size === 0) this.#byInvestor.delete(investor);
  }
}

function encodeTick(view: RoundProgress | undefined): RoundBytes | null {
  if (view === undefined) return null;
  const message = { type: 'round', ...view };
  return {
    view: `${view.sequence} ${view.state}`,
    json: JSON.stringify(message),
    msgpack: packMsgpack(message),
  };
}
