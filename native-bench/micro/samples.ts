// What the suites feed to the code: a round, investors, tokens and rows of the usual lengths, all by number.

import type { RoundDefinition } from '../../src/core/round.js';
import type { VerdictRow } from '../../src/core/rows.js';
import { signToken } from '../../src/core/token-signing.js';

export const SECRET = 'a-secret-of-the-micro-benchmarks-with-more-than-32-bytes';
export const JOURNAL_ID = 'bench000';
export const AMOUNT = 50_000;
export const AT_MS = 1_795_000_000_000;
export const EXPIRES_AT_S = 4_102_444_800; // the year 2100

/** So much room that no case ever uses it up. */
export const CAP = 2 ** 52;

export const ROUND: RoundDefinition = {
  number: 1,
  id: 'crowd',
  name: 'Crowd',
  currency: 'GBP',
  cap: CAP,
  minimum: 1_000,
  maximum: 200_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'refuse',
  state: 'open',
};

/** An odd factor: multiplying by it, modulo 2^32, visits every number once and in no order. */
const SCATTER = 0x9e3779b1;

/** Investor `index`, 28 characters; neighbours by number are far apart by name, and no two are the same. */
export function investor(index: number): string {
  return `investor-${(Math.imul(index, SCATTER) >>> 0).toString(16).padStart(8, '0')}-0123456789`;
}

export function idempotencyKey(index: number): string {
  return `key-${index}`.padEnd(24, '_');
}

/** A token of 200 bytes, signed by SECRET. */
export function hs256Token(index: number): string {
  return signToken(SECRET, {
    subject: investor(index),
    expiresAtS: EXPIRES_AT_S,
    scope: 'invest',
    audience: 'openbell',
  });
}

/** The first verdict of investor `index`, accepted unless told otherwise. */
export function verdictRow(index: number, sequence: number, change: Partial<VerdictRow> = {}): VerdictRow {
  return {
    kind: 'verdict',
    sequence,
    at: AT_MS,
    round: ROUND.number,
    investor: investor(index),
    key: idempotencyKey(index),
    verdict: 'accepted',
    amount: AMOUNT,
    extra: 0,
    ...change,
  };
}

/** `make` of 0 to count - 1. */
export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
