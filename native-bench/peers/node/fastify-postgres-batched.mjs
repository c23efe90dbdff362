// Peer: Fastify and PostgreSQL in micro-batches: what arrives while one function call is under way goes into the next,
// as arrays. An investor belongs to one connection, so two calls never decide about the same one.

import { serve } from './fastify-server.mjs';
import { openPool, openStore, verdictFrom } from './postgres-store.mjs';

/** One batch executes while the other one syncs. */
const CONNECTIONS = 2;
const BATCH_MAX = 512;

const pool = openPool(CONNECTIONS);

class Lane {
  #slot;
  #waiting = [];
  #isBusy = false;

  constructor(slot) {
    this.#slot = slot;
  }

  admit(request) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#isBusy) return;
      this.#isBusy = true;
      // The rest of this turn of the event loop comes along.
      setImmediate(() => this.#run());
    });
  }

  async #run() {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        await this.#call(batch);
      } catch (error) {
        for (const { reject } of batch.values()) reject(error);
      }
    }
    this.#isBusy = false;
  }

  /** The next batch, by investor; a second request of one investor waits for the next. */
  #take() {
    const batch = new Map();
    const later = [];
    for (const entry of this.#waiting) {
      const { investor } = entry.request;
      if (batch.size < BATCH_MAX && !batch.has(investor)) batch.set(investor, entry);
      else later.push(entry);
    }
    this.#waiting = later;
    return batch;
  }

  async #call(batch) {
    const requests = Array.from(batch.values(), ({ request }) => request);
    const { rows } = await pool.query({
      name: 'admit_batch',
      text: 'SELECT * FROM admit_batch($1, $2, $3, $4, $5, $6)',
      values: [
        this.#slot,
        requests.map(({ investor }) => investor),
        requests.map(({ key }) => key),
        requests.map(({ amount }) => amount),
        requests.map(({ isRefused }) => isRefused),
        Date.now(),
      ],
      rowMode: 'array',
    });
    for (const [investor, code, amount, sequence, at, extra, replayed] of rows) {
      const verdict = verdictFrom(code, amount, sequence, at, extra);
      batch.get(investor).resolve({ verdict, replayed });
      batch.delete(investor);
    }
    for (const { resolve } of batch.values()) resolve(null);
  }
}

const lanes = Array.from({ length: CONNECTIONS }, (_, slot) => new Lane(slot));

function laneOf(investor) {
  let hash = 0;
  for (let i = 0; i < investor.length; i++) hash = (Math.imul(hash, 31) + investor.charCodeAt(i)) >>> 0;
  return lanes[hash % CONNECTIONS];
}

await serve(
  await openStore(pool, CONNECTIONS),
  (request) => laneOf(request.investor).admit(request),
  () => pool.end(),
);
