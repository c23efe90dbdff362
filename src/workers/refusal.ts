// The problems of a decision that does not stick to its key.

import type { Decision } from '../core/decide.js';
import type { Problem } from '../core/problem.js';
import type { RoundDefinition } from '../core/round.js';

type RefusalCode = Exclude<
  Decision['code'],
  'replay' | 'accepted' | 'not-eligible' | 'already-invested' | 'insufficient-balance' | 'round-full'
>;

/** Seconds to wait before asking about a round that somebody opens or resumes by hand. */
const ASK_AGAIN_S = 5;

/** The problem with the members that its code carries. */
export function refusalOf(code: RefusalCode, round: RoundDefinition, nowMs: number): Problem {
  switch (code) {
    case 'amount-below-minimum':
      return { code, members: { minimum: round.minimum } };
    case 'amount-above-maximum':
      return { code, members: { maximum: round.maximum } };
    case 'round-not-open':
    case 'round-paused': {
      const { opensAt } = round;
      const opensLater = code === 'round-not-open' && opensAt !== null;
      const retryAfterS = opensLater ? Math.max(1, Math.ceil((opensAt - nowMs) / 1000)) : ASK_AGAIN_S;
      return {
        code,
        members: { opensAt: opensAt === null ? null : new Date(opensAt).toISOString() },
        retryAfterS,
      };
    }
    case 'round-not-found':
    case 'idempotency-key-reused':
    case 'currency-mismatch':
    case 'round-closed':
      return { code };
  }
}
