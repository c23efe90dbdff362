// What the tests of the ledger's books share: books to open again and again, and messages with sensible members.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { InvestorLine } from '../core/investor-lines.js';
import type { InvestmentMessage } from '../core/messages.js';
import type { Result } from '../core/result.js';
import { openLmdbLedgerStore } from './lmdb-store.js';
import type { LedgerStore, Settlement } from './store.js';

/** The time on the clock of test books, which stands still. */
const AT_MS = Date.UTC(2026, 10, 23, 10);

/** Books of a test, empty at first. */
export interface Books {
  /** Opens them, again after each close. */
  open(): Promise<LedgerStore>;
}

/** A directory that goes away with the test. */
export function newDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'openbell-books-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

export function lmdbBooks(t: TestContext): Books {
  const directory = newDirectory(t);
  return { open: async () => openStore(directory) };
}

/** The books of a directory, on a clock that stands still. */
export function openStore(directory: string): LedgerStore {
  const store = openLmdbLedgerStore(directory, () => AT_MS);
  assert.ok(store.ok, store.ok ? '' : store.error);
  return store.value;
}

/** What a store that must not fail says. */
export async function done<T>(result: Promise<Result<T, unknown>>): Promise<T> {
  const settled = await result;
  assert.ok(settled.ok, settled.ok ? '' : JSON.stringify(settled.error));
  return settled.value;
}

export const investor = (name: string, balance: number, eligible = true, currency = 'GBP'): InvestorLine => ({
  investor: name,
  balance,
  currency,
  eligible,
});

export const investment = (id: string, change: Partial<InvestmentMessage> = {}): InvestmentMessage => ({
  id,
  round: 'crowd',
  investor: 'alice',
  amount: 100,
  currency: 'GBP',
  sequence: 1,
  epoch: 1,
  acceptedAt: '2026-11-23T10:00:00.000Z',
  cap: 1_000_000,
  ...change,
});

export const settle = (store: LedgerStore, ...group: InvestmentMessage[]): Promise<readonly Settlement[]> =>
  done(store.settle(group));
