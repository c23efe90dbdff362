// A stand-in for the edge that sends investments to a ledger process which is killed again and again: it sends what has
// no outcome, forgets some that it has heard, and keeps every outcome to hold the books against at the end.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { decodeOutcomeMessage, encodeMessage, type OutcomeMessage, TOPICS } from '../core/messages.js';
import type { Bus } from '../engines/bus.js';
import { linkSocketPath } from '../engines/link-path.js';
import { connectLocalLink } from '../engines/local-link.js';
import { done } from './books-bench.js';
import type { LedgerStore } from './store.js';

const INVESTORS = 50;
const OPENING = 2_000;
const WINDOW = 300;
/** Share of the outcomes that the edge forgets, and asks for again. */
const FORGETS = 0.1;

/** mulberry32: small, seeded, good enough to choose instants. */
export function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The accounts that the investments of a run are of. */
export async function openCrashAccounts(store: LedgerStore): Promise<void> {
  const lines = Array.from({ length: INVESTORS }, (_, i) => ({
    investor: `investor-${i}`,
    balance: OPENING,
    currency: 'GBP',
    eligible: i % 10 !== 9,
  }));
  assert.ok((await store.openAccounts(lines)).ok);
}

export class CrashRun {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'openbell-crash-'));
  readonly #random: () => number;
  readonly #script: string;
  readonly #arguments: readonly string[];
  readonly #bus: Bus;
  readonly #outcomes = new Map<string, OutcomeMessage>();
  readonly #unconfirmed = new Map<string, Buffer>();
  #child: ChildProcess | null = null;
  #exited: Promise<unknown> = Promise.resolve();
  #repeats = 0;
  #heard = 0;
  #sequence = 0;
  #stopping = false;
  #sending: Promise<void> = Promise.resolve();
  #wake = (): void => undefined;

  /** @param script of a ledger process, as a module; gets the data directory and `args` as its arguments */
  constructor(t: TestContext, random: () => number, script: string, ...args: readonly string[]) {
    this.#random = random;
    this.#script = script;
    this.#arguments = args;
    const path = linkSocketPath(this.dataDir);
    this.#bus = connectLocalLink({ path, logger: pino({ level: 'silent' }), random });
    t.after(async () => {
      this.#stopping = true;
      this.#child?.kill('SIGKILL');
      await this.#bus.close();
      rmSync(this.dataDir, { recursive: true });
    });
    this.#bus.subscribe(
      TOPICS.outcomes,
      (message) => {
        const read = decodeOutcomeMessage(message.body);
        assert.ok(read.ok);
        this.#hear(read.value);
        message.finish();
      },
      { maxInFlight: 1_000 },
    );
  }

  /** Starts a ledger; the first time, the edge begins to send. */
  async startLedger(): Promise<void> {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', this.#script, this.dataDir, ...this.#arguments],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', resolve));
    await this.#whileItLives(this.#connected(true));
    if (this.#sequence === 0) this.#sending = this.#send();
  }

  async killLedger(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
    await this.#connected(false);
  }

  /** Resolves when so many more outcomes have been heard; rejects when the ledger ends by itself. */
  heardMore(count: number): Promise<void> {
    const wakeAt = this.#heard + count;
    return this.#whileItLives(
      new Promise((resolve) => {
        this.#wake = () => {
          if (this.#heard >= wakeAt) resolve();
        };
        this.#wake();
      }),
    );
  }

  /** Nothing new is sent, and every investment gets its outcome. Resolves to what there was, in words. */
  async finish(): Promise<string> {
    this.#stopping = true;
    await this.#whileItLives(this.#sending);
    assert.equal(this.#outcomes.size, this.#sequence);
    assert.ok(this.#repeats > 0);
    return `${this.#outcomes.size} outcomes, ${this.#repeats} of them heard more than once`;
  }

  /** The books hold exactly the outcomes that were heard, and money went nowhere else. */
  async check(store: LedgerStore): Promise<void> {
    const outcomes = this.#outcomes;
    assert.deepEqual(await done(store.verify()), []);
    const totals = await done(store.totals());
    assert.equal(totals.entriesSum, 0);
    assert.equal(totals.outcomes, outcomes.size);
    for (let after = 0, more = true; more; ) {
      const page = await done(store.outcomes(after, 10_000));
      for (const outcome of page.outcomes) assert.deepEqual(outcome, outcomes.get(outcome.id));
      assert.equal(page.next, after + page.outcomes.length);
      ({ next: after, more } = page);
    }
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
  }

  #hear(outcome: OutcomeMessage): void {
    const earlier = this.#outcomes.get(outcome.id);
    if (earlier !== undefined) {
      assert.deepEqual(outcome, earlier);
      this.#repeats++;
    }
    this.#outcomes.set(outcome.id, outcome);
    // Now and then the edge forgets what it heard, as if it had died before its journal had it.
    if (this.#random() >= FORGETS) this.#unconfirmed.delete(outcome.id);
    this.#heard++;
    this.#wake();
  }

  /** The edge's outbox: new investments while it may send, and whatever has no outcome again. */
  async #send(): Promise<void> {
    while (!this.#stopping || this.#unconfirmed.size > 0) {
      while (!this.#stopping && this.#unconfirmed.size < WINDOW) this.#invest();
      await this.#connected(true);
      await this.#bus.publish(TOPICS.investments, [...this.#unconfirmed.values()]);
    }
  }

  #invest(): void {
    const sequence = ++this.#sequence;
    const id = `crashrun-${sequence.toString(36)}`;
    const investment = {
      id,
      round: sequence % 3 === 0 ? 'small' : 'crowd',
      investor: `investor-${Math.floor(this.#random() * (INVESTORS + 2))}`,
      amount: 1 + Math.floor(this.#random() * 20),
      currency: 'GBP',
      sequence,
      epoch: 1,
      acceptedAt: new Date().toISOString(),
      cap: sequence % 3 === 0 ? 5_000 : 1_000_000,
    };
    this.#unconfirmed.set(id, encodeMessage(investment));
  }

  #connected(wanted: boolean): Promise<void> {
    return new Promise((resolve) => {
      if (this.#bus.connected === wanted) resolve();
      const stop = this.#bus.onConnectedChange((now) => {
        if (now !== wanted) return;
        stop();
        resolve();
      });
    });
  }

  async #whileItLives(what: Promise<void>): Promise<void> {
    const ended = this.#exited.then(() => assert.fail('the ledger ended by itself'));
    await Promise.race([what, ended]);
  }
}
