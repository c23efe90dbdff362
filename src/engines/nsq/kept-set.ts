// The connections to all nsqds of one purpose: those of the configuration, and those that nsqlookupd names.

import { KeptConnection, type KeptEvents, type NsqModules } from './kept-connection.js';
import type { NsqRole } from './nsq-connection.js';
import { NsqLookup } from './nsq-lookup.js';

export class KeptSet {
  readonly #role: NsqRole;
  readonly #modules: NsqModules;
  readonly #events: KeptEvents;
  /** By address; in the order of the configuration, then of discovery. */
  readonly #kept = new Map<string, KeptConnection>();
  readonly #lookup: NsqLookup | null;
  #closed = false;

  /** Connects at once, and keeps asking nsqlookupd if there is one. */
  constructor(role: NsqRole, modules: NsqModules, events: KeptEvents) {
    this.#role = role;
    this.#modules = modules;
    this.#events = events;
    const { nsqd, nsqlookupd } = modules.settings;
    this.#update(nsqd);
    // Where nsqds are named they are the ones to publish to; a subscription looks for its topic everywhere.
    const needsLookup = nsqlookupd.length > 0 && (role.kind === 'subscribe' || nsqd.length === 0);
    const topic = role.kind === 'subscribe' ? role.topic : null;
    this.#lookup = needsLookup
      ? new NsqLookup(topic, modules, (found) => this.#update(new Set([...nsqd, ...found])))
      : null;
  }

  /** Those that nsqd has let in. */
  ready(): readonly KeptConnection[] {
    return [...this.#kept.values()].filter(({ ready }) => ready !== null);
  }

  /** Makes no new connection; those that are ready stay until they end or are closed. */
  retire(): void {
    this.#lookup?.close();
    for (const kept of this.#kept.values()) kept.retire();
  }

  close(): void {
    this.#closed = true;
    this.#lookup?.close();
    for (const kept of this.#kept.values()) kept.close();
  }

  #update(addresses: Iterable<string>): void {
    if (this.#closed) return;
    const named = new Set(addresses);
    for (const [address, kept] of this.#kept) {
      if (!named.has(address)) kept.retire();
      if (kept.isOver) this.#kept.delete(address);
    }
    for (const address of named) {
      const known = this.#kept.get(address);
      if (known !== undefined) known.restore();
      else this.#kept.set(address, new KeptConnection(address, this.#role, this.#modules, this.#events));
    }
  }
}
