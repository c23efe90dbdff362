// Micro suite: core/decide.ts, one decision with all its inputs in memory.

import { Counters, counterBytes } from '../../src/core/counters.js';
import { type Applicant, type Decision, decide, type RoundAtDecision } from '../../src/core/decide.js';
import { packCurrency } from '../../src/core/money.js';
import { AMOUNT, AT_MS, CAP, ROUND } from './samples.js';
import type { Case, Suite } from './suite.js';

const OPERATIONS = 1_000;
const GBP = packCurrency('GBP');

const FUNDED: Applicant = {
  earlier: null,
  liveSequence: 0,
  known: true,
  eligible: true,
  available: 10 * AMOUNT,
};

export const DECISION: Suite = {
  name: 'decision',
  about: 'One call of `decide`; an accepted one reserves its room in shared memory.',
  prepare: () => {
    const counters = new Counters(new SharedArrayBuffer(counterBytes(1)));
    counters.restore(ROUND.number, { room: CAP, investors: 0, settled: 0, declined: 0 });
    const full = new Counters(new SharedArrayBuffer(counterBytes(1)));
    const round: RoundAtDecision = { definition: ROUND, currency: GBP, state: 'open' };
    const deciding = (
      name: Decision['code'],
      applicant: Applicant,
      rooms: Counters = counters,
      at: RoundAtDecision = round,
    ): Case => ({
      name,
      operations: OPERATIONS,
      run: () => {
        for (let i = 0; i < OPERATIONS; i++) {
          const { code } = decide(at, { amount: AMOUNT, currency: GBP }, applicant, rooms, AT_MS);
          if (code !== name) throw new Error(`decided ${code}, not ${name}`);
        }
        return undefined;
      },
    });
    return {
      cases: [
        deciding('accepted', FUNDED),
        deciding('replay', { ...FUNDED, earlier: { verdict: 'accepted', amount: AMOUNT } }),
        deciding('already-invested', { ...FUNDED, liveSequence: 7 }),
        deciding('insufficient-balance', { ...FUNDED, available: AMOUNT - 1 }),
        deciding('round-full', FUNDED, full),
        deciding('round-paused', FUNDED, counters, { ...round, state: 'paused' }),
      ],
    };
  },
};
