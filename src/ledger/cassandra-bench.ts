// What the tests of the books in Cassandra share: keyspaces with the ledger's tables, and clients of them.

import assert from 'node:assert/strict';
import type { Client } from 'cassandra-driver';
import { pino } from 'pino';
import { cassandraClient } from '../engines/cassandra/client.js';
import { LEDGER_TABLES } from '../engines/cassandra/ledger-tables.js';
import type { Books } from './books-bench.js';
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

/** All that were made: a test that fails leaves its own open, and they would keep the process alive. */
const clients: Client[] = [];

export function newClient({ contactPoint, localDataCenter }: Server, keyspace: string): Client {
  const client = cassandraClient(
    {
      contactPoints: [contactPoint],
      datacenter: localDataCenter,
      keyspace,
      tls: null,
      credentials: null,
    },
    'decisions',
  );
  clients.push(client);
  return client;
}

/** The last thing that a file of tests does before it lets the server go. */
export async function shutdownClients(): Promise<void> {
  await Promise.all(clients.map((client) => client.shutdown()));
}

/** A keyspace with the ledger's tables. */
export async function newKeyspace(server: Server): Promise<string> {
  const keyspace = await server.createKeyspace();
  const client = newClient(server, keyspace);
  for (const table of LEDGER_TABLES) await client.execute(table);
  await client.shutdown();
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

/** The books of a keyspace, emptied. Far quicker than a new one. */
export async function emptyBooks(server: Server, keyspace: string): Promise<Books> {
  const client = newClient(server, keyspace);
  const { rows } = await client.execute(
    'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?',
    [keyspace],
  );
  await Promise.all(rows.map((row) => client.execute(`TRUNCATE ${String(row['table_name'])}`)));
  await client.shutdown();
  return { open: () => openIn(server, keyspace) };
}
