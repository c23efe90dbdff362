// Peer: Fastify and PostgreSQL, one prepared function call and so one transaction a request, over a pool of connections.

import { serve } from './fastify-server.mjs';
import { openPool, openStore, verdictFrom } from './postgres-store.mjs';

/** Connections: enough that a sync is shared by many commits, few enough for two cores. Measured at 8, 16, 32 and 64. */
const POOL_SIZE = 32;
/** As `admit` in postgres.sql has it: more than connections, so that they seldom meet. */
const SLOTS = 64;

const pool = openPool(POOL_SIZE);

async function admit({ investor, key, amount, isRefused, nowMs }) {
  const { rows } = await pool.query({
    name: 'admit',
    text: 'SELECT code, amount, sequence, at, extra, replayed FROM admit($1, $2, $3, $4, $5)',
    values: [investor, key, amount, isRefused, nowMs],
    rowMode: 'array',
  });
  const [code, asked, sequence, at, extra, replayed] = rows[0];
  if (code === null) return null;
  return { verdict: verdictFrom(code, asked, sequence, at, extra), replayed };
}

await serve(await openStore(pool, SLOTS), admit, () => pool.end());
