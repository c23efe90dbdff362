// What the tests of the books in Cassandra share: keyspaces with the ledger's tables, and clients of them.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Client } from 'cassandra-driver';
import { pino } from 'pino';
import type { Books } from './books-bench.js';
import { LEDGER_TABLES } from './cassandra-schema.js';
import { openCassandraLedgerStore } from './cassandra-store.js';
import type { LedgerStore } from './store.js';

/** The part of a Cassandra of the test harness that is needed here. */
export interface Server {
  readonly contactPoint: string;
  readonly localDataCenter: string;
  createKeyspace(): Promise<string>;
}

/** The time on the clock of test books, which stands still. */
const AT_MS = Date.UTC(2026, 10, 23, 10);

export function newClient({ contactPoint, localDataCenter }: Server, keyspace: string): Client {
  return new Client({
    contactPoints: [contactPoint],
    localDataCenter,
    keyspace,
    pooling: { heartBeatInterval: 1_000 },
    socketOptions: { readTimeout: 5_000 },
  });
}

/** A keyspace with the ledger's empty tables, dropped with the test. */
export async function newKeyspace(t: TestContext, server: Server): Promise<string> {
  const keyspace = await server.createKeyspace();
  const client = newClient(server, keyspace);
  t.after(async () => {
    await client.execute(`DROP KEYSPACE ${keyspace}`);
    await client.shutdown();
  });
  for (const table of LEDGER_TABLES) await client.execute(table);
  return keyspace;
}

export async function openIn(
  server: Server,
  keyspace: string,
  nowMs = (): number => AT_MS,
): Promise<LedgerStore> {
  const opened = await openCassandraLedgerStore({
    client: newClient(server, keyspace),
    logger: pino({ level: 'silent' }),
    nowMs,
  });
  assert.ok(opened.ok, opened.ok ? '' : opened.error.message);
  return opened.value;
}

/** Books of a keyspace of their own. */
export async function cassandraBooks(t: TestContext, server: Server): Promise<Books> {
  const keyspace = await newKeyspace(t, server);
  return { open: () => openIn(server, keyspace) };
}
