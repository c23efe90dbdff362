// The ledger process is killed at random instants while an edge sends it investments. Sent again maybe, lost or
// applied twice never. CRASH_SEED repeats a run, CRASH_COUNT makes a longer one.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { decodeOutcomeMessage, encodeMessage, type OutcomeMessage, TOPICS } from '../core/messages.js';
import { linkSocketPath } from '../engines/link-path.js';
import { connectLocalLink } from '../engines/local-link.js';
import { done } from './books-bench.js';
import { openLmdbLedgerStore } from './lmdb-store.js';

const seed = Number.parseInt(process.env['CRASH_SEED'] ?? String(randomInt(2 ** 31)), 10);
const crashes = Number.parseInt(process.env['CRASH_COUNT'] ?? '8', 10);
const INVESTORS = 50;
const OPENING = 2_000;
const WINDOW = 300;
/** A ledger lives until so many outcomes have been heard from it, at most; what it does at that instant is chance. */
const KILL_WITHIN_OUTCOMES = 600;
/** Share of the outcomes that the edge forgets, and asks for again. */
const FORGETS = 0.1;

/** mulberry32: small, seeded, good enough to choose instants. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const CHILD = `
  import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
  import { startLedger } from ${JSON.stringify(new URL('./main.js', import.meta.url).href)};
  const options = { adminHost: '127.0.0.1', ledgerPort: 0, ratePerS: 0, token: { secret: 'x'.repeat(32) } };
  const ledger = await startLedger({ ...options, dataDir: process.argv[1] }, pino({ level: 'silent' }));
  if (!ledger.ok) { console.error(ledger.error.message); process.exit(1); }
`;

test(`killed ${crashes} times, the ledger loses and doubles nothing (seed ${seed})`, async (t) => {
  const random = randomOf(seed);
  const dataDir = mkdtempSync(join(tmpdir(), 'openbell-crash-'));
  const children = new Set<ChildProcess>();
  t.after(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true });
  });
  await openAccounts(dataDir);

  const bus = connectLocalLink({ path: linkSocketPath(dataDir), logger: pino({ level: 'silent' }), random });
  t.after(() => bus.close());
  const outcomes = new Map<string, OutcomeMessage>();
  const unconfirmed = new Map<string, Buffer>();
  let repeats = 0;
  let heard = 0;
  let wakeAt = 0;
  let wake = (): void => undefined;
  let stopping = false;
  let sequence = 0;
  bus.subscribe(
    TOPICS.outcomes,
    (message) => {
      const read = decodeOutcomeMessage(message.body);
      assert.ok(read.ok);
      const earlier = outcomes.get(read.value.id);
      if (earlier !== undefined) {
        assert.deepEqual(read.value, earlier);
        repeats++;
      }
      outcomes.set(read.value.id, read.value);
      // Now and then the edge forgets what it heard, as if it had died before its journal had it.
      if (random() >= FORGETS) unconfirmed.delete(read.value.id);
      message.finish();
      heard++;
      if (heard >= wakeAt) wake();
    },
    { maxInFlight: 1_000 },
  );

  const heardMore = (count: number): Promise<void> =>
    new Promise((resolve) => {
      wakeAt = heard + count;
      wake = resolve;
    });

  const connected = (wanted: boolean): Promise<void> =>
    new Promise((resolve) => {
      if (bus.connected === wanted) resolve();
      const stop = bus.onConnectedChange((now) => {
        if (now !== wanted) return;
        stop();
        resolve();
      });
    });
  /** The edge's outbox: new investments while it may send, and whatever has no outcome again. */
  const sendOnce = async (): Promise<void> => {
    while (!stopping && unconfirmed.size < WINDOW) {
      sequence++;
      const id = `crashrun-${sequence.toString(36)}`;
      const investment = {
        id,
        round: sequence % 3 === 0 ? 'small' : 'crowd',
        investor: `investor-${Math.floor(random() * (INVESTORS + 2))}`,
        amount: 1 + Math.floor(random() * 20),
        currency: 'GBP',
        sequence,
        epoch: 1,
        acceptedAt: new Date().toISOString(),
        cap: sequence % 3 === 0 ? 5_000 : 1_000_000,
      };
      unconfirmed.set(id, encodeMessage(investment));
    }
    await connected(true);
    await bus.publish(TOPICS.investments, [...unconfirmed.values()]);
  };

  const sending = (async () => {
    while (!stopping || unconfirmed.size > 0) await sendOnce();
  })();

  for (let crash = 0; crash <= crashes; crash++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD, dataDir], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    children.add(child);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await connected(true);
    if (crash === crashes) {
      stopping = true;
      await sending;
    } else {
      await heardMore(random() * KILL_WITHIN_OUTCOMES);
    }
    child.kill('SIGKILL');
    await exited;
    children.delete(child);
    await connected(false);
  }

  t.diagnostic(`${outcomes.size} outcomes, ${repeats} of them heard more than once`);
  assert.equal(outcomes.size, sequence);
  assert.ok(repeats > 0);
  await checkBooks(dataDir, outcomes);
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
  const dataDir = mkdtempSync(join(tmpdir(), 'openbell-crash-'));
  t.after(() => rmSync(dataDir, { recursive: true }));
  await openAccounts(dataDir);
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
    const opened = openLmdbLedgerStore(directory, Date.now);
    assert.ok(opened.ok);
    assert.deepEqual(await done(opened.value.verify()), []);
    assert.equal((await done(opened.value.totals())).outcomes, settled);
    await opened.value.close();
  }
});

async function openAccounts(dataDir: string): Promise<void> {
  const opened = openLmdbLedgerStore(join(dataDir, 'ledger'), Date.now);
  assert.ok(opened.ok);
  const lines = Array.from({ length: INVESTORS }, (_, i) => ({
    investor: `investor-${i}`,
    balance: OPENING,
    currency: 'GBP',
    eligible: i % 10 !== 9,
  }));
  assert.ok((await opened.value.openAccounts(lines)).ok);
  await opened.value.close();
}

/** The books hold exactly the outcomes that were heard, and money went nowhere else. */
async function checkBooks(dataDir: string, outcomes: ReadonlyMap<string, OutcomeMessage>): Promise<void> {
  const opened = openLmdbLedgerStore(join(dataDir, 'ledger'), Date.now);
  assert.ok(opened.ok);
  const store = opened.value;
  assert.deepEqual(await done(store.verify()), []);
  const totals = await done(store.totals());
  assert.equal(totals.entriesSum, 0);
  assert.equal(totals.outcomes, outcomes.size);
  const page = await done(store.outcomes(0, outcomes.size));
  for (const outcome of page.outcomes) assert.deepEqual(outcome, outcomes.get(outcome.id));
  const spent = new Map<string, number>();
  const settled = new Map<string, number>();
  for (const { state, investor, round, amount } of outcomes.values()) {
    if (state !== 'settled') continue;
    spent.set(investor, (spent.get(investor) ?? 0) + amount);
    settled.set(round, (settled.get(round) ?? 0) + amount);
  }
  for (let i = 0; i < INVESTORS; i++) {
    const account = await done(store.account(`investor-${i}`, 1));
    assert.equal(account?.balance, OPENING - (spent.get(`investor-${i}`) ?? 0));
    assert.ok(account.balance >= 0);
  }
  for (const round of totals.rounds) {
    assert.equal(round.settled, settled.get(round.round) ?? 0);
    assert.equal(round.escrow, round.settled);
    assert.ok(round.settled <= round.cap);
  }
  await store.close();
}
