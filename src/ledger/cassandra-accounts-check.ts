// The part of the auditor in Cassandra that reads accounts: fed with every row of the table, it adds up the entries of
// each account and of all, leaving out what was made by later changes than the one it checks.

import type { types } from 'cassandra-driver';
import { must } from '../core/assert.js';
import { storedKind } from './accounts.js';
import { exact } from './cassandra-cql.js';
import { partOf } from './cassandra-tables.js';
import type { Faults } from './faults.js';

/** One part of an account, read from its newest entry to its oldest. */
interface Part {
  readonly account: string;
  readonly part: number;
  readonly isLong: boolean;
  readonly currency: string | null;
  /** Of the account; null when a later change has made it. */
  readonly balance: number | null;
  /** Before the entry that was read last; null before the first. */
  expected: number | null;
  /** After the newest entry that counts and before the oldest one; null when none counts. */
  newest: number | null;
  base: number | null;
}

export class AccountsCheck {
  /** Rows that count, and the accounts that have any. */
  entries = 0;
  opened = 0;
  readonly escrows = new Map<string, number>();
  readonly #upTo: number;
  readonly #faults: Faults;
  readonly #sums = new Map<string, number>();
  /** Accounts of more than one part, until all is read. */
  readonly #long = new Map<string, Part[]>();
  #part: Part | null = null;

  /** @param upTo position in the log of the last change that counts */
  constructor(upTo: number, faults: Faults) {
    this.#upTo = upTo;
    this.#faults = faults;
  }

  /** Parts come in any order; the entries of one come newest first, and one behind the other. */
  row(row: types.Row): void {
    const account: string = row['account'];
    const part: number = row['part'];
    if (this.#part === null || this.#part.account !== account || this.#part.part !== part) {
      this.#endPart();
      this.#part = this.#begin(row, account, part);
    }
    if (row['version'] === null) this.#faults.add('I6', `${account} has no entries`);
    else this.#entry(this.#part, row);
  }

  /** After the last row. */
  end(): void {
    this.#endPart();
    for (const parts of this.#long.values()) this.#endAccount(parts.sort((a, b) => a.part - b.part));
    for (const [currency, sum] of this.#sums)
      if (sum !== 0) this.#faults.add('I6', `all accounts in ${currency} sum to ${sum}`);
  }

  #begin(row: types.Row, account: string, part: number): Part {
    const none = { currency: null, balance: null, expected: null, newest: null, base: null };
    if (part > 0) return { account, part, isLong: true, ...none };
    if (row['currency'] === null) {
      this.#faults.add('I6', `${account} has entries and no balance`);
      return { account, part, isLong: false, ...none };
    }
    const balance = exact(row['balance']);
    if (balance < 0 && storedKind(account) !== 'external')
      this.#faults.add('I7', `${account} has ${balance}`);
    return {
      ...none,
      account,
      part,
      isLong: partOf(exact(row['account_version'])) > 0,
      currency: row['currency'],
      balance: exact(row['as_of']) <= this.#upTo ? balance : null,
    };
  }

  #entry(part: Part, row: types.Row): void {
    const { account } = part;
    const balance = exact(row['balance_after']);
    if (part.expected !== null && balance !== part.expected)
      this.#faults.add(
        'I6',
        `entry ${String(row['version'])} (${String(row['id'])}) of ${account} says ${balance}`,
      );
    part.expected = balance - exact(row['amount']);
    if (balance < 0 && storedKind(account) !== 'external')
      this.#faults.add('I7', `${account} had ${balance} after ${String(row['id'])}`);
    if (exact(row['position']) > this.#upTo) return;
    part.newest ??= balance;
    part.base = part.expected;
    this.entries++;
  }

  #endPart(): void {
    const part = this.#part;
    if (part === null) return;
    if (part.part === 0 && !part.isLong) {
      this.#endAccount([part]);
      return;
    }
    const parts = this.#long.get(part.account);
    if (parts === undefined) this.#long.set(part.account, [part]);
    else parts.push(part);
  }

  /** Each part goes on where the one before it ends, and the last one ends with the account's balance. */
  #endAccount(parts: readonly Part[]): void {
    const { account, currency, balance } = must(parts[0], 'the first part');
    let sum = 0;
    let counts = false;
    for (const { part, newest, base } of parts) {
      if (newest === null) continue;
      if (base !== sum)
        this.#faults.add('I6', `part ${part} of ${account} begins with ${base}, not with ${sum}`);
      sum = newest;
      counts = true;
    }
    if (!counts) return;
    if (balance !== null && balance !== sum)
      this.#faults.add('I6', `the entries of ${account} sum to ${sum}, its balance is ${balance}`);
    if (currency !== null) this.#sums.set(currency, (this.#sums.get(currency) ?? 0) + sum);
    if (storedKind(account) === 'escrow') this.escrows.set(account, sum);
    this.opened++;
  }
}
