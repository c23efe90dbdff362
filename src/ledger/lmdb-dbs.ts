// The databases of the ledger's LMDB environment, at <dataDir>/ledger. This process is the only one that opens it.
//
//   accounts      name -> account, and right behind it [name, version] -> entry (see accounts.ts for the names)
//   outcomes      position, counting up from 1 -> outcome of an investment; outcome-ids: investment id -> position
//   transfers     id -> transfer made by hand
//   rounds        round -> cap and totals
//   outbox        position -> investor whose balance the edge has yet to hear
//   meta          one row: counters and sums, written with every transaction
//
// Nothing but the truth of money is kept here, so nothing may be lost and nothing is ever deleted, except outbox
// rows that the edge has confirmed. Format history: 1, the first.

import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { type Database, open, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb';
import type { AccountRow, EntryRow, Meta, OutcomeRow, RoundRow, TransferRow } from './ledger-rows.js';

/** Account rows under their name, and the account's entries right behind it under [name, version]. */
export type AccountsDb = Database<AccountRow | EntryRow, string | [string, number]>;

export interface LedgerDbs {
  readonly env: RootDatabase;
  readonly accounts: AccountsDb;
  readonly outcomes: Database<OutcomeRow, number>;
  readonly outcomeIds: Database<number, string>;
  readonly transfers: Database<TransferRow, string>;
  readonly rounds: Database<RoundRow, string>;
  readonly outbox: Database<string, number>;
  readonly meta: Database<Meta, string>;
}

/** Opens the environment, made when missing; throws what the system says. */
export function openLedgerDbs(directory: string): LedgerDbs {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const env = open({
    path: directory,
    maxDbs: 8,
    // Off: a synchronous transaction is on disk when the call returns.
    overlappingSync: false,
    encoding: 'msgpack',
    // Plain MessagePack: a row can be read without anything that was learnt from other rows.
    encoder: { useRecords: false },
  } as RootDatabaseOptionsWithPath);
  syncDirectory(directory);
  return {
    env,
    accounts: env.openDB('accounts', {}) as unknown as AccountsDb,
    outcomes: env.openDB<OutcomeRow, number>('outcomes', {}),
    outcomeIds: env.openDB<number, string>('outcome-ids', {}),
    transfers: env.openDB<TransferRow, string>('transfers', {}),
    rounds: env.openDB<RoundRow, string>('rounds', {}),
    outbox: env.openDB<string, number>('outbox', {}),
    meta: env.openDB<Meta, string>('meta', {}),
  };
}

/** The files' names are durable too, or a power cut could take a ledger that was just made. */
function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
