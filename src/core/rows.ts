// The rows of the journal: everything that changes state is one of them. Their bytes are in row-layout.ts (drawn) and
// row-codec.ts (written and read).

import type { Lineage } from './ids.js';
import type { DeclineReason } from './messages.js';
import type { RoundChange, RoundDefinition } from './round.js';

/** Verdicts that stick to their idempotency key. */
export type StickyVerdict =
  | 'accepted'
  | 'not-eligible'
  | 'already-invested'
  | 'insufficient-balance'
  | 'round-full';

/** On disk: a verdict is its place in this list plus one. Append only. */
export const STICKY_VERDICTS: readonly StickyVerdict[] = [
  'accepted',
  'not-eligible',
  'already-invested',
  'insufficient-balance',
  'round-full',
];

/** The codes of `encodeVerdict`: those of STICKY_VERDICTS, and one that is a form of `already-invested`. */
export const VERDICT_CODES = {
  accepted: 1,
  'not-eligible': 2,
  'already-invested': 3,
  'insufficient-balance': 4,
  'round-full': 5,
  /**
   * `already-invested` where the live investment is a row of the same frame, whose sequence nobody knows before the
   * frame is appended: `extra` is how many rows back it is. Read back, it is an ordinary `already-invested`.
   */
  'already-invested-in-frame': 6,
} as const;

export interface VerdictRow {
  readonly kind: 'verdict';
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly round: number;
  readonly investor: string;
  readonly key: string;
  readonly verdict: StickyVerdict;
  /** Minor units. */
  readonly amount: number;
  /** already-invested: the live one's sequence; round-full: the room there was; else 0. */
  readonly extra: number;
}

/** What became of an accepted investment; a declined one releases its room by this row. */
export interface OutcomeRow {
  readonly kind: 'outcome';
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly round: number;
  readonly investor: string;
  /** Sequence of the accepted row. */
  readonly investment: number;
  /** Minor units. */
  readonly amount: number;
  readonly state: 'settled' | 'declined';
  readonly reason: DeclineReason | null;
  /** The account after it, with its version. */
  readonly balance: number;
  readonly balanceVersion: number;
  readonly eligible: boolean;
}

export interface RoundRow {
  readonly kind: 'round';
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly change: RoundChange;
  /** The whole definition, after the change. */
  readonly definition: RoundDefinition;
}

/** This journal was built again from replicated rows: those before this one keep the ids of the journals they are from. */
export interface LineageRow {
  readonly kind: 'lineage';
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Its last entry is this journal, from this row on. */
  readonly lineage: Lineage;
  /** The last of the sequences, from this row's on, that the lost disk had and an operator has given up; 0: none. */
  readonly lostThrough: number;
}

export type Row = VerdictRow | OutcomeRow | RoundRow | LineageRow;

/** The sequence of the investment that a row is about; 0 when it is about none. */
export function aboutInvestment(row: Row): number {
  if (row.kind === 'verdict') return row.sequence;
  return row.kind === 'outcome' ? row.investment : 0;
}
