// Balances and eligibility from outside the journal: imports, the admin port and the bank's feed.
//
// They are not in the journal, so a call returns only when LMDB has flushed its transaction. It touches nothing but
// the balance: attempts and live investments of the record stay as they are.

import type { IndexDb } from './index-db.js';
import { emptyInvestor, encodeInvestor } from './index-records.js';

/** A balance as an import tells it. */
export interface BalanceLine {
  readonly investor: string;
  /** Minor units. */
  readonly balance: number;
  readonly currency: string;
  readonly eligible: boolean;
}

/** A balance as the ledger tells it; the higher version wins. */
export interface VersionedBalance extends BalanceLine {
  readonly version: number;
}

/** Sets the balances of these investors, all or none, and answers how many they are. Their last lines win. */
export function applyBalances(db: IndexDb, lines: readonly BalanceLine[]): number {
  const latest = new Map<string, BalanceLine>();
  for (const line of lines) latest.set(line.investor, line);
  db.root.transactionSync(() => {
    for (const investor of [...latest.keys()].sort()) put(db, latest.get(investor)!, 0);
  });
  return latest.size;
}

/**
 * Applies the balances that are newer than what is known, and answers whose records changed. One that has its version
 * already, or an older one, tells its currency at most: the feed may repeat and reorder.
 */
export function applyBalanceMessages(db: IndexDb, messages: readonly VersionedBalance[]): string[] {
  const latest = new Map<string, VersionedBalance>();
  for (const message of messages) {
    const earlier = latest.get(message.investor);
    if (earlier === undefined || message.version > earlier.version) latest.set(message.investor, message);
  }
  const applied: string[] = [];
  db.root.transactionSync(() => {
    for (const investor of [...latest.keys()].sort()) {
      const message = latest.get(investor)!;
      if (put(db, message, message.version)) applied.push(investor);
    }
  });
  return applied;
}

/** @param version 0: from an import, which is taken as it is and leaves the stored version alone */
function put(db: IndexDb, line: BalanceLine, version: number): boolean {
  const record = db.getInvestor(line.investor) ?? emptyInvestor();
  if (version > 0 && version <= record.balanceVersion) {
    // An account keeps its currency for life, so an older message tells it too. An outcome does not: of an account that only
    // outcomes have told of it is a guess, the round's.
    if (record.currency === line.currency) return false;
    record.currency = line.currency;
    db.investors.putSync(line.investor, encodeInvestor(record));
    return true;
  }
  record.known = true;
  record.eligible = line.eligible;
  record.balance = line.balance;
  record.currency = line.currency;
  record.balanceVersion = Math.max(record.balanceVersion, version);
  db.investors.putSync(line.investor, encodeInvestor(record));
  return true;
}
