// The PostgreSQL store of two peers: its client, and how a new one is filled.

import { readFileSync } from 'node:fs';
import pg from 'pg';
import { newJournalId } from './answers.mjs';
import { settings } from './settings.mjs';

const SCHEMA = readFileSync(new URL('postgres.sql', import.meta.url), 'utf8');

/** A pool of `size` connections over the server's socket. A lost connection ends the process: the next start tells. */
export function openPool(size) {
  const pool = new pg.Pool({
    host: process.env.PEER_STORE,
    user: 'peer',
    database: 'postgres',
    max: size,
    min: size,
    idleTimeoutMillis: 0,
  });
  pool.on('error', (error) => {
    console.error(error);
    process.exit(70);
  });
  return pool;
}

/** The store's id; a new store gets its tables, the investors, and the cap spread over `slots`. */
export async function openStore(pool, slots) {
  const { rows } = await pool.query(`SELECT to_regclass('journal') IS NOT NULL AS known`);
  if (!rows[0].known) {
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query(SCHEMA);
    // The server reads the file itself: its path is made by whoever started it, and holds no quote. As CSV whose quote
    // no investor can hold, nothing in a line is read as an escape.
    await client.query(
      `COPY investor FROM '${settings.investorsFile}' WITH (FORMAT csv, DELIMITER ' ', QUOTE E'\\x01')`,
    );
    await client.query(
      `INSERT INTO room SELECT slot, $1::bigint / $2::int + CASE WHEN slot < $1::bigint % $2::int THEN 1 ELSE 0 END
         FROM generate_series(0, $2::int - 1) AS slot`,
      [settings.cap, slots],
    );
    await client.query('INSERT INTO journal VALUES ($1)', [newJournalId()]);
    await client.query('COMMIT');
    await client.query('VACUUM ANALYZE investor');
    await client.query('CHECKPOINT');
    client.release();
  }
  return (await pool.query('SELECT id FROM journal')).rows[0].id;
}

/** A verdict from columns that come as text: none is above 2^53-1. */
export function verdictFrom(code, amount, sequence, at, extra) {
  return {
    code,
    amount: Number.parseInt(amount, 10),
    sequence: Number.parseInt(sequence, 10),
    at: Number.parseInt(at, 10),
    extra: Number.parseInt(extra, 10),
  };
}
