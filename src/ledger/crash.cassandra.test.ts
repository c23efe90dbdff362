// The ledger process and its Cassandra are killed and paused at random instants, the ledger with its books in that
// Cassandra, while an edge sends it investments. No outcome is lost, none is given twice, and all money adds up.
// CRASH_SEED repeats a run, CRASH_COUNT makes a longer one.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, test } from 'node:test';
import { type Cassandra, startCassandra } from '../../test/harness/cassandra.js';
import { cql } from '../../test/harness/cql.js';
import { skipWithoutEngine } from '../../test/harness/engine-files.js';
import { newKeyspace, openIn, shutdownClients } from './cassandra-bench.js';
import { CrashRun, openCrashAccounts, randomOf } from './crash-bench.js';

const seed = Number.parseInt(process.env['CRASH_SEED'] ?? String(randomInt(2 ** 31)), 10);
const rounds = Number.parseInt(process.env['CRASH_COUNT'] ?? '1', 10);
/** Between two faults so many outcomes are heard, at most. */
const FAULT_WITHIN_OUTCOMES = 400;
/** A pause may be longer than every timeout of a request. */
const PAUSE_MAX_MS = 8_000;

const CHILD = `
  import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
  import { startLedger } from ${JSON.stringify(new URL('./main.js', import.meta.url).href)};
  import { newClient } from ${JSON.stringify(new URL('./cassandra-bench.js', import.meta.url).href)};
  import { openCassandraLedgerStore } from ${JSON.stringify(new URL('./cassandra-store.js', import.meta.url).href)};
  const [dataDir, contactPoint, localDataCenter, keyspace] = process.argv.slice(1);
  const logger = pino({ level: 'silent' });
  const openStore = async () => {
    const client = newClient({ contactPoint, localDataCenter }, keyspace);
    const opened = await openCassandraLedgerStore({ client, logger, nowMs: Date.now });
    return opened.ok ? opened : { ok: false, error: { exitCode: 69, message: opened.error.message } };
  };
  const options = { adminHost: '127.0.0.1', ledgerPort: 0, ratePerS: 0, token: { secret: 'x'.repeat(32) } };
  const ledger = await startLedger({ ...options, dataDir, openStore }, logger);
  if (!ledger.ok) { console.error(ledger.error.message); process.exit(1); }
  ledger.value.failed.then(({ message }) => { console.error(message); process.exit(1); });
`;

let cassandra: Cassandra | undefined;
after(async () => {
  await shutdownClients();
  await cassandra?.remove();
});

const skip = skipWithoutEngine('cassandra');
test(`every kind of death ${rounds} times, of the ledger and of Cassandra (seed ${seed})`, {
  skip,
}, async (t) => {
  const random = randomOf(seed);
  cassandra = await startCassandra();
  const engine = cassandra;
  const { contactPoint, localDataCenter, endpoint } = engine;
  const server = {
    contactPoint,
    localDataCenter,
    createKeyspace: async (): Promise<string> => {
      const replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
      await cql(endpoint, [`CREATE KEYSPACE crash WITH replication = ${replication}`]);
      return 'crash';
    },
  };
  const keyspace = await newKeyspace(server);
  const run = new CrashRun(t, random, CHILD, contactPoint, localDataCenter, keyspace);
  const store = await openIn(server, keyspace);
  await openCrashAccounts(store);
  await store.close();

  const pause = async (): Promise<void> => {
    await engine.pause();
    const pausedMs = random() * PAUSE_MAX_MS;
    // How long the fault lasts, not a wait for it to be over.
    await new Promise((resolve) => {
      setTimeout(() => resolve(undefined), pausedMs);
    });
  };
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    'ledger killed': async () => {
      await run.killLedger();
      await run.startLedger();
    },
    'Cassandra killed': async () => {
      await engine.kill();
      await engine.restart();
    },
    'Cassandra paused': async () => {
      await pause();
      engine.resume();
    },
    'Cassandra paused, the ledger killed meanwhile': async () => {
      await pause();
      await run.killLedger();
      engine.resume();
      await run.startLedger();
    },
    'both killed': async () => {
      await Promise.all([engine.kill(), run.killLedger()]);
      await engine.restart();
      await run.startLedger();
    },
  };
  await run.startLedger();
  for (let round = 0; round < rounds; round++) {
    for (const [name, fault] of shuffled(Object.entries(faults), random)) {
      await run.heardMore(1 + random() * FAULT_WITHIN_OUTCOMES);
      t.diagnostic(name);
      await fault();
    }
  }
  t.diagnostic(await run.finish());
  await run.killLedger();
  const books = await openIn(server, keyspace);
  await run.check(books);
  await books.close();
  assert.ok(engine.isRunning());
});

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  return items
    .map((item) => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}
