// The admission rules once more, on plain Maps, written from the contract alone: what the real shards are held against.
// It knows nothing of batches, caches, indexes or restarts, so none of them may change an answer.

import type { RoundDefinition } from '../../src/core/round.js';

export interface ModelRequest {
  readonly investor: string;
  readonly round: number;
  readonly key: string;
  readonly amount: number;
  readonly currency: string;
}

export interface ModelVerdict {
  readonly sequence: number;
  readonly atMs: number;
  readonly investor: string;
  readonly round: number;
  readonly key: string;
  readonly amount: number;
  readonly currency: string;
  readonly code: string;
  /** Extra members of the problem. */
  readonly members: Readonly<Record<string, unknown>>;
  outcome: {
    readonly state: 'settled' | 'declined';
    readonly reason: string | null;
    readonly atMs: number;
  } | null;
}

/** What the model answers: a verdict of a row, or a refusal that sticks to nothing. */
export type ModelAnswer =
  | { readonly kind: 'verdict'; readonly verdict: ModelVerdict; readonly replayed: boolean }
  | { readonly kind: 'refusal'; readonly code: string; readonly members: Readonly<Record<string, unknown>> };

export interface ModelOutcome {
  readonly sequence: number;
  readonly investor: string;
  readonly round: string;
  readonly amount: number;
  readonly state: 'settled' | 'declined';
  readonly reason: string | null;
  readonly balance: number;
  readonly balanceVersion: number;
  readonly eligible: boolean;
}

interface ModelAccount {
  known: boolean;
  eligible: boolean;
  balance: number;
  currency: string;
  version: number;
}

interface ModelRound {
  definition: RoundDefinition;
  room: number;
  investors: number;
  settled: number;
  declined: number;
  /** The smallest amount refused for room since room was last given back: no room for it may appear by itself. */
  refusedMin: number;
}

const unknownAccount = (): ModelAccount => ({
  known: false,
  eligible: false,
  balance: 0,
  currency: '',
  version: 0,
});

export class AdmissionModel {
  readonly rounds = new Map<number, ModelRound>();
  readonly verdicts = new Map<number, ModelVerdict>();
  readonly #byKey = new Map<string, ModelVerdict>();
  readonly #live = new Map<string, ModelVerdict>();
  #accounts = new Map<string, ModelAccount>();
  readonly #outcomes: ModelOutcome[] = [];
  readonly #idOf: (sequence: number) => string;
  nextSequence = 1;

  constructor(idOf: (sequence: number) => string) {
    this.#idOf = idOf;
  }

  account(investor: string): ModelAccount {
    const found = this.#accounts.get(investor) ?? unknownAccount();
    this.#accounts.set(investor, found);
    return found;
  }

  changeRound(definition: RoundDefinition): void {
    const round = this.rounds.get(definition.number);
    this.nextSequence++;
    if (round === undefined) {
      const sums = { room: definition.cap, investors: 0, settled: 0, declined: 0 };
      this.rounds.set(definition.number, { definition, ...sums, refusedMin: Number.POSITIVE_INFINITY });
      return;
    }
    const raised = definition.cap - round.definition.cap;
    round.room += raised;
    if (raised > 0) round.refusedMin = Number.POSITIVE_INFINITY;
    round.definition = definition;
  }

  invest(request: ModelRequest, atMs: number): ModelAnswer {
    const { investor, key, amount, currency } = request;
    const round = this.rounds.get(request.round);
    if (round === undefined) return refusal('round-not-found');
    const { definition } = round;
    const earlier = this.#byKey.get(`${request.round} ${investor} ${key}`);
    if (earlier !== undefined) {
      const same = earlier.amount === amount && earlier.currency === currency;
      return same ? { kind: 'verdict', verdict: earlier, replayed: true } : refusal('idempotency-key-reused');
    }
    if (currency !== definition.currency) return refusal('currency-mismatch');
    if (amount < definition.minimum) return refusal('amount-below-minimum', { minimum: definition.minimum });
    if (amount > definition.maximum) return refusal('amount-above-maximum', { maximum: definition.maximum });
    if (definition.state === 'scheduled') return refusal('round-not-open', { opensAt: null });
    if (definition.state === 'closed') return refusal('round-closed');
    if (definition.state === 'paused') return refusal('round-paused', { opensAt: null });
    const [code, members] = this.#rule(request, round);
    return { kind: 'verdict', replayed: false, verdict: this.#stick(request, round, code, members, atMs) };
  }

  #rule(request: ModelRequest, round: ModelRound): [string, Record<string, unknown>] {
    const { investor, amount } = request;
    const account = this.account(investor);
    const live = this.#live.get(`${request.round} ${investor}`);
    if (account.known && !account.eligible) return ['not-eligible', {}];
    if (live !== undefined) return ['already-invested', { investment: this.#idOf(live.sequence) }];
    if (
      account.known
        ? this.#available(investor, request.currency) < amount
        : round.definition.unknownBalance !== 'allow'
    ) {
      return ['insufficient-balance', {}];
    }
    if (round.room < amount) return ['round-full', { remaining: round.room }];
    return ['accepted', {}];
  }

  /** The balance less what is live and not settled, in all rounds; nothing in another currency. */
  #available(investor: string, currency: string): number {
    const account = this.account(investor);
    if (account.currency !== currency) return 0;
    let left = account.balance;
    for (const number of this.rounds.keys()) {
      const live = this.#live.get(`${number} ${investor}`);
      if (live !== undefined && live.outcome === null) left -= live.amount;
    }
    return left;
  }

  #stick(
    request: ModelRequest,
    round: ModelRound,
    code: string,
    members: Record<string, unknown>,
    atMs: number,
  ): ModelVerdict {
    const verdict: ModelVerdict = {
      ...request,
      sequence: this.nextSequence++,
      atMs,
      code,
      members,
      outcome: null,
    };
    this.verdicts.set(verdict.sequence, verdict);
    this.#byKey.set(`${request.round} ${request.investor} ${request.key}`, verdict);
    if (code === 'accepted') {
      round.room -= request.amount;
      round.investors++;
      this.#live.set(`${request.round} ${request.investor}`, verdict);
    } else if (code === 'round-full') round.refusedMin = Math.min(round.refusedMin, request.amount);
    return verdict;
  }

  /** Applies one outcome message and says what becomes of it. */
  outcome(message: ModelOutcome, atMs: number): 'applied' | 'duplicate' | 'unknown' | 'conflict' {
    const verdict = this.verdicts.get(message.sequence);
    const round = verdict === undefined ? undefined : this.rounds.get(verdict.round);
    if (verdict === undefined || round === undefined || verdict.code !== 'accepted') return 'unknown';
    if (verdict.investor !== message.investor || round.definition.id !== message.round) return 'unknown';
    if (verdict.outcome !== null) return verdict.outcome.state === message.state ? 'duplicate' : 'conflict';
    if (verdict.amount !== message.amount) return 'conflict';
    this.nextSequence++;
    this.#outcomes.push(message);
    verdict.outcome = { state: message.state, reason: message.reason, atMs };
    if (message.state === 'settled') round.settled += verdict.amount;
    else {
      round.declined += verdict.amount;
      round.room += verdict.amount;
      round.investors--;
      round.refusedMin = Number.POSITIVE_INFINITY;
      this.#live.delete(`${verdict.round} ${verdict.investor}`);
    }
    this.#learn(message, round.definition.currency);
    return 'applied';
  }

  #learn(message: ModelOutcome, currency: string): void {
    const account = this.account(message.investor);
    if (message.balanceVersion === 0 || message.balanceVersion < account.version) return;
    if (!account.known) account.currency = currency;
    account.known = true;
    account.balance = message.balance;
    account.eligible = message.eligible;
    account.version = message.balanceVersion;
  }

  /** An import is taken as it is; a message of the ledger only when it is newer, but an account's currency never changes. */
  setBalance(investor: string, balance: number, currency: string, eligible: boolean, version = 0): void {
    const account = this.account(investor);
    if (version > 0 && version <= account.version) {
      account.currency = currency;
      return;
    }
    const kept = Math.max(account.version, version);
    this.#accounts.set(investor, { known: true, eligible, balance, currency, version: kept });
  }

  /** The index is gone: balances are what the journal's outcomes told. */
  forgetBalances(): void {
    this.#accounts = new Map();
    for (const message of this.#outcomes) {
      const verdict = this.verdicts.get(message.sequence)!;
      this.#learn(message, this.rounds.get(verdict.round)!.definition.currency);
    }
  }

  /** This investor's verdicts of a round, newest first. */
  list(investor: string, round: number): ModelVerdict[] {
    const mine = [...this.verdicts.values()].filter(
      (each) => each.investor === investor && each.round === round,
    );
    return mine.sort((a, b) => b.sequence - a.sequence);
  }
}

function refusal(code: string, members: Readonly<Record<string, unknown>> = {}): ModelAnswer {
  return { kind: 'refusal', code, members };
}
