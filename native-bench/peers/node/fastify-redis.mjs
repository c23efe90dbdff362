// Peer: Fastify and Redis, one Lua script a request, auto-pipelined: the commands of one turn of the event loop travel
// together, and Redis syncs them together.

import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { newJournalId } from './answers.mjs';
import { serve } from './fastify-server.mjs';
import { investorBatches, settings } from './settings.mjs';

const SEED_BATCH = 2_000;
const LUA = readFileSync(new URL('admit.lua', import.meta.url), 'utf8');
const ROUND_KEY = `r:${settings.round}`;
const CAP = `${settings.cap}`;

const redis = new Redis({
  path: process.env.PEER_STORE,
  enableAutoPipelining: true,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
});
redis.on('error', (error) => {
  // The answers to what was in flight are unknown: the next start tells.
  console.error(error);
  process.exit(70);
});
redis.defineCommand('admit', { numberOfKeys: 2, lua: LUA });

/** The store's id; a new store is filled with the investors first. */
async function openStore() {
  const known = await redis.get('journal');
  if (known !== null) return known;
  for await (const batch of investorBatches(SEED_BATCH)) {
    const pipeline = redis.pipeline();
    for (const [investor, balance] of batch) pipeline.hset(`i:${investor}`, 'balance', balance);
    for (const [error] of await pipeline.exec()) if (error) throw error;
  }
  const id = newJournalId();
  await redis.set('journal', id);
  return id;
}

async function admit({ investor, key, amount, isRefused, nowMs }) {
  const text = await redis.admit(`i:${investor}`, ROUND_KEY, key, amount, isRefused ? 1 : 0, nowMs, CAP);
  if (text === null) return null;
  const [code, asked, sequence, at, extra] = text.slice(1).split('|', 5).map(Number);
  return { verdict: { code, amount: asked, sequence, at, extra }, replayed: text.startsWith('r') };
}

await serve(await openStore(), admit, () => redis.quit());
