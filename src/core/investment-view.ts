// An investment as the outside sees it: the 201 of the moment it was accepted, and what reading it says later.

import type { InvestmentIds } from './ids.js';
import type { DeclineReason } from './messages.js';
import type { VerdictRow } from './rows.js';

/** What happened to an accepted investment since. */
export interface InvestmentOutcome {
  readonly state: 'settled' | 'declined';
  readonly reason: DeclineReason | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The round's id and currency, which a row does not repeat. */
export interface RoundLabel {
  readonly id: string;
  readonly currency: string;
}

let lastMs = -1;
let lastText = '';

/** RFC 3339 with milliseconds; the last one is kept, for a batch shares its instant. */
export function timestamp(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

/** The body of a 201, which workers/accepted-writer.ts writes byte by byte. */
export function acceptedObject(
  ids: InvestmentIds,
  round: RoundLabel,
  row: VerdictRow,
): Record<string, unknown> {
  return {
    id: ids.idOf(row.sequence),
    round: round.id,
    investor: row.investor,
    amount: row.amount,
    currency: round.currency,
    state: 'accepted',
    sequence: row.sequence,
    acceptedAt: timestamp(row.at),
  };
}

/** What GET shows: state of now, a timestamp per step, a reason where there is one. */
export function investmentObject(
  ids: InvestmentIds,
  round: RoundLabel,
  row: VerdictRow,
  outcome: InvestmentOutcome | null,
): Record<string, unknown> {
  if (row.verdict === 'accepted') {
    const view = acceptedObject(ids, round, row);
    if (outcome === null) return view;
    view['state'] = outcome.state;
    view[outcome.state === 'settled' ? 'settledAt' : 'declinedAt'] = timestamp(outcome.at);
    if (outcome.reason !== null) view['reason'] = outcome.reason;
    return view;
  }
  return {
    id: ids.idOf(row.sequence),
    round: round.id,
    investor: row.investor,
    amount: row.amount,
    currency: round.currency,
    state: 'rejected',
    reason: row.verdict,
    sequence: row.sequence,
    rejectedAt: timestamp(row.at),
  };
}
