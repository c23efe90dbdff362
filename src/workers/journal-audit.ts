// The invariants that a journal shows by itself, checked row by row in its order:
//
//   I1   after every row, admitted − released ≤ cap, with the cap as the round rows before it say
//   I3   one (round, investor, key), one verdict
//   I4   at most one live investment per investor and round; `already-invested` names the live one
//   I5   an outcome answers an accepted row, with its amount, and no other outcome does
//   I11  a `round-full` says less room than was asked for (the row codec checks it)
//
// Memory grows with the live investments and with the keys; both have their bounds in limits.ts, and what was left out
// beyond them is counted in the totals instead of passed over.

import type { Lineage } from '../core/ids.js';
import { AUDIT_KEYS_MAX, AUDIT_LIVE_MAX, AUDIT_PROBLEMS_MAX } from '../core/limits.js';
import type { LineageRow, OutcomeRow, RoundRow, Row, StickyVerdict, VerdictRow } from '../core/rows.js';
import { KeyFingerprints } from './journal-audit-keys.js';

export interface AuditProblem {
  readonly invariant: 'I1' | 'I3' | 'I4' | 'I5' | 'round' | 'lineage';
  readonly sequence: number;
  readonly detail: string;
}

/** What a round comes to after the rows seen so far. Sums are of money, in minor units. */
export interface RoundTotals {
  readonly number: number;
  id: string;
  cap: number;
  /** Sum of live investments: accepted and not declined. */
  admitted: number;
  /** Live investments. */
  investors: number;
  settled: number;
  settledCount: number;
  declined: number;
  declinedCount: number;
  readonly verdicts: Record<StickyVerdict, number>;
}

interface Live {
  readonly sequence: number;
  readonly amount: number;
  settled: boolean;
}

interface RoundState {
  readonly totals: RoundTotals;
  readonly live: Map<string, Live>;
}

export interface AuditBounds {
  readonly liveMax: number;
  readonly keysMax: number;
}

const BOUNDS: AuditBounds = { liveMax: AUDIT_LIVE_MAX, keysMax: AUDIT_KEYS_MAX };

export class JournalAuditor {
  readonly #bounds: AuditBounds;
  readonly #rounds = new Map<number, RoundState>();
  readonly #keys: KeyFingerprints;
  readonly #problems: AuditProblem[] = [];
  #problemCount = 0;
  #lineage: Lineage = [];
  #liveCount = 0;
  #uncheckedLive = 0;
  #uncheckedKeys = 0;

  constructor(bounds: AuditBounds = BOUNDS) {
    this.#bounds = bounds;
    this.#keys = new KeyFingerprints(bounds.keysMax);
  }

  /** The first problems; `problemCount` says how many there are. */
  get problems(): readonly AuditProblem[] {
    return this.#problems;
  }

  get problemCount(): number {
    return this.#problemCount;
  }

  /** Rows whose I4 and I5, or whose I3, could not be checked within the bounds. */
  get unchecked(): { readonly live: number; readonly keys: number } {
    return { live: this.#uncheckedLive, keys: this.#uncheckedKeys };
  }

  /** Totals per round, by number. */
  totals(): RoundTotals[] {
    return [...this.#rounds.values()].map((round) => round.totals).sort((a, b) => a.number - b.number);
  }

  /** Takes the next row; rows come in the order of their sequence. */
  add(row: Row): void {
    if (row.kind === 'lineage') {
      this.#newLineage(row);
      return;
    }
    if (row.kind === 'round') {
      this.#changeRound(row);
      return;
    }
    const round = this.#rounds.get(row.round);
    if (round === undefined) {
      this.#problem('round', row.sequence, `round ${row.round} has not been created`);
    } else if (row.kind === 'verdict') {
      this.#verdict(row, round);
    } else {
      this.#outcome(row, round);
    }
  }

  /** A later lineage says the same of all rows before the earlier one. */
  #newLineage({ sequence, lineage }: LineageRow): void {
    const known = this.#lineage.every(
      (entry, at) =>
        lineage[at]?.journalId === entry.journalId && lineage[at].firstSequence === entry.firstSequence,
    );
    if (!known)
      this.#problem('lineage', sequence, 'earlier rows are said to be of other journals than before');
    this.#lineage = lineage;
  }

  #changeRound(row: RoundRow): void {
    const { definition, sequence } = row;
    const known = this.#rounds.get(definition.number);
    if (known === undefined) {
      if (row.change !== 'created')
        this.#problem('round', sequence, `round ${definition.id} was never created`);
      this.#rounds.set(definition.number, { totals: emptyTotals(row), live: new Map() });
      return;
    }
    const { totals } = known;
    if (row.change === 'created') this.#problem('round', sequence, `round ${definition.id} is created twice`);
    if (definition.id !== totals.id)
      this.#problem('round', sequence, `round ${totals.id} becomes ${definition.id}`);
    if (definition.cap < totals.cap) this.#problem('round', sequence, `cap of ${totals.id} is lowered`);
    totals.cap = definition.cap;
    this.#checkCap(totals, sequence);
  }

  #verdict(row: VerdictRow, round: RoundState): void {
    const { totals, live } = round;
    const { sequence, investor, verdict } = row;
    totals.verdicts[verdict] += 1;
    if (this.#keys.full) this.#uncheckedKeys += 1;
    if (!this.#keys.add(row.round, investor, row.key)) {
      this.#problem('I3', sequence, `${investor} has a second verdict for key ${row.key} in ${totals.id}`);
    }
    const held = live.get(investor);
    if (verdict === 'accepted') {
      totals.admitted += row.amount;
      totals.investors += 1;
      this.#checkCap(totals, sequence);
      if (held !== undefined) {
        this.#problem('I4', sequence, `${investor} has investment ${held.sequence} in ${totals.id} already`);
      }
      this.#hold(live, row);
    } else if (verdict === 'already-invested' && held?.sequence !== row.extra && this.#uncheckedLive === 0) {
      this.#problem('I4', sequence, `investment ${row.extra} of ${investor} in ${totals.id} is not live`);
    }
  }

  #hold(live: Map<string, Live>, row: VerdictRow): void {
    if (this.#liveCount >= this.#bounds.liveMax) {
      this.#uncheckedLive += 1;
      return;
    }
    if (!live.has(row.investor)) this.#liveCount += 1;
    live.set(row.investor, { sequence: row.sequence, amount: row.amount, settled: false });
  }

  #outcome(row: OutcomeRow, round: RoundState): void {
    const { totals, live } = round;
    const { sequence, investor, investment, amount } = row;
    const held = live.get(investor);
    const mine = held?.sequence === investment ? held : null;
    if (mine === null && this.#uncheckedLive === 0) {
      this.#problem('I5', sequence, `investment ${investment} of ${investor} in ${totals.id} is not live`);
      return;
    }
    if (mine?.settled === true) {
      this.#problem('I5', sequence, `investment ${investment} of ${investor} has an outcome already`);
      return;
    }
    if (mine !== null && mine.amount !== amount) {
      this.#problem('I5', sequence, `investment ${investment} is of ${mine.amount}, not of ${amount}`);
    }
    if (row.state === 'settled') {
      totals.settled += amount;
      totals.settledCount += 1;
      if (mine !== null) mine.settled = true;
      return;
    }
    totals.declined += amount;
    totals.declinedCount += 1;
    totals.admitted -= amount;
    totals.investors -= 1;
    if (mine !== null) {
      live.delete(investor);
      this.#liveCount -= 1;
    }
  }

  #checkCap(totals: RoundTotals, sequence: number): void {
    if (totals.admitted <= totals.cap) return;
    this.#problem(
      'I1',
      sequence,
      `${totals.id} has admitted ${totals.admitted}, over its cap of ${totals.cap}`,
    );
  }

  #problem(invariant: AuditProblem['invariant'], sequence: number, detail: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < AUDIT_PROBLEMS_MAX) this.#problems.push({ invariant, sequence, detail });
  }
}

function emptyTotals(row: RoundRow): RoundTotals {
  return {
    number: row.definition.number,
    id: row.definition.id,
    cap: row.definition.cap,
    admitted: 0,
    investors: 0,
    settled: 0,
    settledCount: 0,
    declined: 0,
    declinedCount: 0,
    verdicts: {
      accepted: 0,
      'not-eligible': 0,
      'already-invested': 0,
      'insufficient-balance': 0,
      'round-full': 0,
    },
  };
}
