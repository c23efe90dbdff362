// The ledger process is killed at random instants while an edge sends it investments. Sent again maybe, lost or
// applied twice never. CRASH_SEED repeats a run, CRASH_COUNT makes a longer one.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { done, newDirectory } from './books-bench.js';
import { CrashRun, openCrashAccounts, randomOf } from './crash-bench.js';
import { openLmdbLedgerStore } from './lmdb-store.js';
import type { LedgerStore } from './store.js';

const seed = Number.parseInt(process.env['CRASH_SEED'] ?? String(randomInt(2 ** 31)), 10);
const crashes = Number.parseInt(process.env['CRASH_COUNT'] ?? '8', 10);
/** A ledger lives until so many outcomes have been heard from it, at most; what it does at that instant is chance. */
const KILL_WITHIN_OUTCOMES = 600;

const CHILD = `
  import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
  import { startLedger } from ${JSON.stringify(new URL('./main.js', import.meta.url).href)};
  const options = { adminHost: '127.0.0.1', ledgerPort: 0, ratePerS: 0, token: { secret: 'x'.repeat(32) } };
  const ledger = await startLedger({ ...options, dataDir: process.argv[1] }, pino({ level: 'silent' }));
  if (!ledger.ok) { console.error(ledger.error.message); process.exit(1); }
`;

test(`killed ${crashes} times, the ledger loses and doubles nothing (seed ${seed})`, async (t) => {
  const random = randomOf(seed);
  const run = new CrashRun(t, random, CHILD);
  await withStore(run.dataDir, openCrashAccounts);
  await run.startLedger();
  for (let crash = 0; crash < crashes; crash++) {
    await run.heardMore(random() * KILL_WITHIN_OUTCOMES);
    await run.killLedger();
    await run.startLedger();
  }
  t.diagnostic(await run.finish());
  await run.killLedger();
  await withStore(run.dataDir, (store) => run.check(store));
});

/** Dies at the n-th look at the clock, which the store takes inside of its transaction, once per investment. */
const DIES_INSIDE = `
  import { openLmdbLedgerStore } from ${JSON.stringify(new URL('./lmdb-store.js', import.meta.url).href)};
  let looks = Number.parseInt(process.argv[2], 10);
  const clock = () => (--looks === 0 ? process.kill(process.pid, 'SIGKILL') : Date.now());
  const store = openLmdbLedgerStore(process.argv[1], clock).value;
  const investment = { round: 'crowd', amount: 5, currency: 'GBP', sequence: 1, epoch: 1, cap: 1000 };
  const group = [0, 1, 2, 3].map((i) => ({ ...investment, id: 'id-' + i, investor: 'investor-' + i, acceptedAt: '' }));
  await store.settle(group);
  process.kill(process.pid, 'SIGKILL');
`;

test('killed inside of a transaction, nothing of the group has happened; right after it, all of it has', async (t) => {
  const dataDir = newDirectory(t);
  await withStore(dataDir, openCrashAccounts);
  const directory = join(dataDir, 'ledger');
  for (const [looks, settled] of [
    [1, 0],
    [2, 0],
    [4, 0],
    [5, 0],
    [6, 4],
  ] as const) {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', DIES_INSIDE, directory, String(looks)],
      {
        stdio: 'inherit',
      },
    );
    const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
    assert.equal(signal, 'SIGKILL');
    await withStore(dataDir, async (store) => {
      assert.deepEqual(await done(store.verify()), []);
      assert.equal((await done(store.totals())).outcomes, settled);
    });
  }
});

async function withStore(dataDir: string, work: (store: LedgerStore) => Promise<void>): Promise<void> {
  const opened = openLmdbLedgerStore(join(dataDir, 'ledger'), Date.now);
  assert.ok(opened.ok);
  await work(opened.value);
  await opened.value.close();
}
