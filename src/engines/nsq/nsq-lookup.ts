// Asks nsqlookupd where the nsqds are, again and again. What it last said holds while it does not answer: a discovery
// that is away must not end connections that work.

import { request } from 'undici';
import { NSQ_LOOKUP_BYTES_MAX, NSQ_LOOKUP_TIMEOUT_MS, NSQ_NSQDS_MAX } from '../../core/limits.js';
import { boundedText } from '../bounded-http.js';
import type { NsqModules } from './kept-connection.js';
import { joinAddress } from './nsq-settings.js';

/** What one nsqlookupd answers about one nsqd. */
interface Producer {
  readonly broadcast_address?: unknown;
  readonly hostname?: unknown;
  readonly tcp_port?: unknown;
}

export class NsqLookup {
  readonly #path: string;
  readonly #modules: NsqModules;
  readonly #onAddresses: (addresses: readonly string[]) => void;
  readonly #abort = new AbortController();
  /** The last answer of each nsqlookupd. */
  readonly #answers = new Map<string, readonly string[]>();
  readonly #silent = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * Asks at once, and then for ever.
   * @param topic its nsqds; null: all nsqds that there are
   * @param onAddresses all nsqds that some nsqlookupd names, after each round of questions that had an answer
   */
  constructor(
    topic: string | null,
    modules: NsqModules,
    onAddresses: (addresses: readonly string[]) => void,
  ) {
    this.#path = topic === null ? '/nodes' : `/lookup?topic=${encodeURIComponent(topic)}`;
    this.#modules = modules;
    this.#onAddresses = onAddresses;
    void this.#round();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  async #round(): Promise<void> {
    const { settings, timings, random } = this.#modules;
    const asked = await Promise.all(settings.nsqlookupd.map((lookupd) => this.#ask(lookupd)));
    if (this.#abort.signal.aborted) return;
    if (asked.some((answered) => answered)) {
      const all = new Set([...this.#answers.values()].flat());
      this.#onAddresses([...all].slice(0, NSQ_NSQDS_MAX));
    }
    // Give or take a third, so that many nodes do not ask at once.
    this.#timer = setTimeout(() => void this.#round(), timings.lookupMs * (2 / 3 + (random() * 2) / 3));
    this.#timer.unref();
  }

  /** Keeps the answer; false when there is none. */
  async #ask(lookupd: string): Promise<boolean> {
    const { logger } = this.#modules;
    try {
      const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(NSQ_LOOKUP_TIMEOUT_MS)]);
      const answer = await request(`http://${lookupd}${this.#path}`, { signal });
      const text = await boundedText(answer.body, NSQ_LOOKUP_BYTES_MAX);
      // 404: nobody has the topic yet.
      if (answer.statusCode !== 200 && answer.statusCode !== 404)
        throw new Error(`status ${answer.statusCode}`);
      this.#answers.set(lookupd, answer.statusCode === 404 ? [] : addressesOf(text));
      if (this.#silent.delete(lookupd)) logger.info({ lookupd }, 'nsq: nsqlookupd answers again');
      return true;
    } catch (error) {
      if (this.#abort.signal.aborted || this.#silent.has(lookupd)) return false;
      this.#silent.add(lookupd);
      logger.warn({ lookupd, reason: (error as Error).message }, 'nsq: nsqlookupd does not answer');
      return false;
    }
  }
}

/** Throws on what is not an answer of nsqlookupd. */
function addressesOf(text: string): string[] {
  const answer = JSON.parse(text) as { producers?: unknown } | null;
  const producers = answer?.producers;
  if (!Array.isArray(producers)) throw new Error('no list of producers');
  return (producers as (Producer | null)[]).flatMap((producer) => {
    const host = producer?.broadcast_address || producer?.hostname;
    const port = producer?.tcp_port;
    const isOne =
      typeof host === 'string' &&
      typeof port === 'number' &&
      Number.isInteger(port) &&
      port > 0 &&
      port < 65_536;
    return isOne ? [joinAddress(host, port)] : [];
  });
}
