// For tests only: what the index should hold, as plain Maps, and a maker of rows that a journal could hold.

import { deepEqual } from 'node:assert/strict';
import type { DeclineReason } from '../core/messages.js';
import type { RoundDefinition } from '../core/round.js';
import type { Row, StickyVerdict, VerdictRow } from '../core/rows.js';
import type { IndexDb } from './index-db.js';
import { emptyTotals, type IndexedRow, type RoundTotals } from './index-records.js';
import { selfCheck } from './index-self-check.js';

interface ModelBalance {
  readonly balance: number;
  readonly currency: string;
  readonly eligible: boolean;
  readonly version: number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export function testRound(number: number, change: Partial<RoundDefinition> = {}): RoundDefinition {
  return {
    number,
    id: `round-${number}`,
    name: `Round ${number}`,
    currency: 'GBP',
    cap: 2_000_000_000,
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    opensAt: null,
    closesAt: null,
    unknownBalance: 'allow',
    state: 'open',
    ...change,
  };
}

/** Makes rows in sequence and keeps what they add up to. */
export class IndexModel {
  readonly rows: Row[] = [];
  readonly verdicts = new Map<number, Writable<IndexedRow>>();
  readonly balances = new Map<string, ModelBalance>();
  readonly totals = new Map<number, RoundTotals>();
  readonly definitions = new Map<number, RoundDefinition>();
  readonly #at: number;

  constructor(at = 1_795_000_000_000) {
    this.#at = at;
  }

  get nextSequence(): number {
    return this.rows.length + 1;
  }

  round(definition: RoundDefinition): void {
    const change = this.definitions.has(definition.number) ? 'amended' : 'created';
    this.rows.push({ kind: 'round', sequence: this.nextSequence, at: this.#at, change, definition });
    this.definitions.set(definition.number, definition);
    if (!this.totals.has(definition.number)) this.totals.set(definition.number, emptyTotals());
  }

  /** An accepted verdict, unless this investor is in already: then that. Never twice the same key. */
  invest(round: number, investor: string, amount: number, refusal: StickyVerdict | null = null): VerdictRow {
    const sequence = this.nextSequence;
    const live = this.live(round, investor);
    const verdict = live === undefined ? (refusal ?? 'accepted') : 'already-invested';
    const extra = live?.sequence ?? (verdict === 'already-invested' ? 1 : 0);
    const at = this.#at + sequence;
    const key = `key-${sequence}`;
    const row: VerdictRow = { kind: 'verdict', sequence, at, round, investor, key, verdict, amount, extra };
    this.rows.push(row);
    const state = verdict === 'accepted' ? 'accepted' : 'rejected';
    this.verdicts.set(sequence, { ...row, state, reason: null, outcomeAt: null });
    const totals = this.totals.get(round)!;
    totals.verdicts[verdict]++;
    if (verdict === 'accepted') {
      totals.admitted += amount;
      totals.investors++;
    }
    return row;
  }

  outcome(investment: number, reason: DeclineReason | null, balance: number, balanceVersion: number): void {
    const verdict = this.verdicts.get(investment)!;
    const { round, investor, amount } = verdict;
    const sequence = this.nextSequence;
    const at = this.#at + sequence;
    const state = reason === null ? 'settled' : 'declined';
    const eligible = reason !== 'not-eligible';
    this.rows.push({
      kind: 'outcome',
      sequence,
      at,
      round,
      investor,
      investment,
      amount,
      state,
      reason,
      balance,
      balanceVersion,
      eligible,
    });
    Object.assign(verdict, { state, reason, outcomeAt: at });
    const totals = this.totals.get(round)!;
    if (state === 'settled') {
      totals.settled += amount;
      totals.settledCount++;
    } else {
      totals.admitted -= amount;
      totals.investors--;
      totals.declined += amount;
      totals.declinedCount++;
    }
    const known = this.balances.get(investor);
    if (balanceVersion === 0 || balanceVersion < (known?.version ?? 0)) return;
    const currency = known?.currency ?? this.definitions.get(round)!.currency;
    this.balances.set(investor, { balance, currency, eligible, version: balanceVersion });
  }

  live(round: number, investor: string): IndexedRow | undefined {
    return this.#of(round, investor).find(({ state }) => state === 'accepted' || state === 'settled');
  }

  open(): IndexedRow[] {
    return [...this.verdicts.values()].filter(({ state }) => state === 'accepted');
  }

  /** Compares everything that can be asked of the index. */
  check(db: IndexDb): void {
    db.refresh();
    deepEqual(selfCheck(db).differences, []);
    deepEqual(db.outboxAfter(0, 1_000_000), this.open());
    const rounds = [...this.definitions.values()].sort((a, b) => a.number - b.number);
    const entries = rounds.map((definition) => ({ definition, totals: this.totals.get(definition.number) }));
    deepEqual(db.readRounds(), entries);
    for (const row of this.verdicts.values()) {
      deepEqual(db.getRow(row.round, row.investor, row.sequence), row);
      deepEqual(db.getSequenceByKey(row.round, row.investor, row.key), row.sequence);
    }
    const investors = new Set([...this.verdicts.values()].map(({ investor }) => investor));
    for (const investor of new Set([...investors, ...this.balances.keys()]))
      this.#checkInvestor(db, investor);
  }

  #checkInvestor(db: IndexDb, investor: string): void {
    const record = db.getInvestor(investor)!;
    const { known, balance, currency, eligible, balanceVersion } = record;
    const told = this.balances.get(investor);
    deepEqual(
      { known, balance, currency, eligible, balanceVersion },
      {
        known: told !== undefined,
        balance: told?.balance ?? 0,
        currency: told?.currency ?? '',
        eligible: told?.eligible ?? false,
        balanceVersion: told?.version ?? 0,
      },
    );
    for (const round of this.definitions.keys()) {
      const rows = this.#of(round, investor);
      const live = this.live(round, investor);
      const part = record.rounds.find((one) => one.round === round);
      deepEqual(part?.attempts ?? 0, rows.length);
      deepEqual(part?.live ?? 0, live?.sequence ?? 0);
      deepEqual(part?.liveAmount ?? 0, live?.amount ?? 0);
      if (live !== undefined) deepEqual(part?.liveState, live.state);
      deepEqual(db.listRows(round, investor, 1_000), rows.toReversed());
    }
  }

  #of(round: number, investor: string): IndexedRow[] {
    return [...this.verdicts.values()].filter((row) => row.round === round && row.investor === investor);
  }
}
