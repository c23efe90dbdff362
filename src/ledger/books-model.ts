// The ledger's books as a plain model, for the tests: slow, in memory, and written without a look at the store.

import type { InvestorLine } from '../core/investor-lines.js';
import type { InvestmentMessage } from '../core/messages.js';
import type { TransferRequest } from './store.js';

interface ModelAccount {
  balance: number;
  readonly currency: string;
  eligible: boolean;
}

export type ModelVerdict = 'conflict' | { readonly verdict: string; readonly balance: number };

export class BooksModel {
  readonly settled = new Map<string, number>();
  readonly #accounts = new Map<string, ModelAccount>();
  readonly #caps = new Map<string, number>();
  readonly #investments = new Map<
    string,
    { readonly message: InvestmentMessage; readonly verdict: ModelVerdict }
  >();
  readonly #transfers = new Map<string, TransferRequest>();

  balance(name: string): number {
    return this.#accounts.get(name)?.balance ?? 0;
  }

  settle(message: InvestmentMessage): ModelVerdict {
    const earlier = this.#investments.get(message.id);
    if (earlier !== undefined) {
      const { message: first, verdict } = earlier;
      const isSame =
        first.round === message.round &&
        first.investor === message.investor &&
        first.amount === message.amount &&
        first.currency === message.currency;
      return isSame ? verdict : 'conflict';
    }
    if (this.#transfers.has(message.id)) return 'conflict';
    const name = `investor:${message.investor}`;
    const reason = this.#reason(message);
    if (reason === null) {
      this.#move(name, `escrow:${message.round}`, message.amount, message.currency);
      this.settled.set(message.round, (this.settled.get(message.round) ?? 0) + message.amount);
    }
    const verdict = { verdict: reason ?? 'settled', balance: this.balance(name) };
    this.#investments.set(message.id, { message, verdict });
    return verdict;
  }

  /** How many were opened, or why none was. */
  open(lines: readonly InvestorLine[]): number | string {
    const before = new Map([...this.#accounts].map(([name, account]) => [name, { ...account }]));
    let opened = 0;
    for (const { investor, balance, currency, eligible } of lines) {
      const account = this.#accounts.get(`investor:${investor}`);
      if (account === undefined) {
        this.#accounts.set(`investor:${investor}`, { balance, currency, eligible });
        opened++;
      } else if (account.currency !== currency) {
        this.#accounts.clear();
        for (const [name, earlier] of before) this.#accounts.set(name, earlier);
        return 'currency-mismatch';
      } else {
        account.eligible = eligible;
      }
    }
    return opened;
  }

  transfer(request: TransferRequest): string {
    const earlier = this.#transfers.get(request.id);
    if (earlier !== undefined) {
      const members = ['from', 'to', 'amount', 'currency'] as const;
      return members.every((member) => earlier[member] === request[member]) ? 'done' : 'transfer-conflict';
    }
    if (this.#investments.has(request.id)) return 'transfer-conflict';
    for (const name of [request.from, request.to]) {
      if (name === 'external') continue;
      const account = this.#accounts.get(name);
      const mayBeNew = name === request.to && name.startsWith('escrow:');
      if (account === undefined && !mayBeNew) return 'account-not-found';
      if (account !== undefined && account.currency !== request.currency) return 'currency-mismatch';
    }
    if (request.from !== 'external' && this.balance(request.from) < request.amount)
      return 'insufficient-balance';
    this.#move(request.from, request.to, request.amount, request.currency);
    this.#transfers.set(request.id, request);
    return 'done';
  }

  #reason(message: InvestmentMessage): string | null {
    const cap = Math.max(this.#caps.get(message.round) ?? 0, message.cap);
    this.#caps.set(message.round, cap);
    const account = this.#accounts.get(`investor:${message.investor}`);
    if (account === undefined || !account.eligible) return 'not-eligible';
    const escrow = this.#accounts.get(`escrow:${message.round}`);
    if (account.currency !== message.currency) return 'insufficient-funds';
    if (escrow !== undefined && escrow.currency !== message.currency) return 'insufficient-funds';
    if (account.balance < message.amount) return 'insufficient-funds';
    return (this.settled.get(message.round) ?? 0) + message.amount > cap ? 'cap-exceeded' : null;
  }

  #move(from: string, to: string, amount: number, currency: string): void {
    for (const [name, signed] of [
      [from, -amount],
      [to, amount],
    ] as const) {
      if (name === 'external') continue;
      const account = this.#accounts.get(name) ?? { balance: 0, currency, eligible: false };
      account.balance += signed;
      this.#accounts.set(name, account);
    }
  }
}
