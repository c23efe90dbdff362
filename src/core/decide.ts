// The decision: one investment, one answer. Reads from top to bottom like the contract's table of errors; the
// first rule that fails answers. Pure but for the reservation of room, which is the last step and the only effect.

import type { RoomSource } from './counters.js';
import type { RoundDefinition, RoundState } from './round.js';
import type { StickyVerdict } from './rows.js';

/** What stuck to the key when it was used before. */
export interface EarlierVerdict {
  readonly verdict: StickyVerdict;
  readonly amount: number;
}

/** What the shard knows of the one who asks, in this round. Amounts in minor units. */
export interface Applicant {
  /** The verdict that this key has already, or null. */
  readonly earlier: EarlierVerdict | null;
  /** Sequence of the live investment in this round, 0 for none. */
  readonly liveSequence: number;
  /** False when nothing is cached about this investor. */
  readonly known: boolean;
  readonly eligible: boolean;
  /** Cached balance less what is held by live investments elsewhere. */
  readonly available: number;
}

export interface Proposal {
  readonly amount: number;
  /** Packed by `packCurrency`. */
  readonly currency: number;
}

/** The round as a shard sees it at the moment of the decision. */
export interface RoundAtDecision {
  readonly definition: RoundDefinition;
  /** Packed by `packCurrency`. */
  readonly currency: number;
  readonly state: RoundState;
}

export type Decision =
  | { readonly code: 'accepted' | 'not-eligible' | 'insufficient-balance' | 'replay'; readonly extra: 0 }
  /** `extra`: sequence of the live investment. */
  | { readonly code: 'already-invested'; readonly extra: number }
  /** `extra`: the room at that moment. */
  | { readonly code: 'round-full'; readonly extra: number }
  | {
      readonly code:
        | 'round-not-found'
        | 'idempotency-key-reused'
        | 'currency-mismatch'
        | 'amount-below-minimum'
        | 'amount-above-maximum'
        | 'round-not-open'
        | 'round-paused'
        | 'round-closed';
      readonly extra: 0;
    };

type PlainCode = Exclude<Decision['code'], 'already-invested' | 'round-full'>;
const plain = (code: PlainCode): Decision => Object.freeze({ code, extra: 0 }) as Decision;

const ROUND_NOT_FOUND = plain('round-not-found');
const REPLAY = plain('replay');
const KEY_REUSED = plain('idempotency-key-reused');
const CURRENCY_MISMATCH = plain('currency-mismatch');
const BELOW_MINIMUM = plain('amount-below-minimum');
const ABOVE_MAXIMUM = plain('amount-above-maximum');
const NOT_OPEN = plain('round-not-open');
const PAUSED = plain('round-paused');
const CLOSED = plain('round-closed');
const NOT_ELIGIBLE = plain('not-eligible');
const INSUFFICIENT_BALANCE = plain('insufficient-balance');
const ACCEPTED = plain('accepted');

/**
 * Decides one investment. The form of the request has been checked before (401, 429, 400).
 * @param round null when there is none with this id
 * @param nowMs milliseconds since the epoch; a round whose closing time has come is closed from that instant
 */
export function decide(
  round: RoundAtDecision | null,
  proposal: Proposal,
  applicant: Applicant,
  rooms: RoomSource,
  nowMs: number,
): Decision {
  if (round === null) return ROUND_NOT_FOUND;
  const { definition } = round;
  const { earlier } = applicant;
  const { amount, currency } = proposal;

  // A verdict that stuck to the key answers whatever has happened to the round since.
  if (earlier !== null) {
    return earlier.amount === amount && round.currency === currency ? REPLAY : KEY_REUSED;
  }

  if (currency !== round.currency) return CURRENCY_MISMATCH;
  if (amount < definition.minimum) return BELOW_MINIMUM;
  if (amount > definition.maximum) return ABOVE_MAXIMUM;

  if (round.state === 'scheduled') return NOT_OPEN;
  if (round.state === 'closed' || (definition.closesAt !== null && nowMs >= definition.closesAt))
    return CLOSED;
  if (round.state === 'paused') return PAUSED;

  // Where a missing balance is allowed, a missing eligibility is too: both are the ledger's to check again.
  const trusted = !applicant.known && definition.unknownBalance === 'allow';
  if (applicant.known && !applicant.eligible) return NOT_ELIGIBLE;
  if (applicant.liveSequence !== 0) return { code: 'already-invested', extra: applicant.liveSequence };
  if (!trusted && (!applicant.known || applicant.available < amount)) return INSUFFICIENT_BALANCE;

  const room = rooms.reserve(definition.number, amount);
  return room < 0 ? ACCEPTED : { code: 'round-full', extra: room };
}
