// Account names: `investor:<id>`, `escrow:<round>` and `external`, the world outside. An account has one currency;
// `external` is shown as one and kept per currency.

import { isInvestorId } from '../core/investor.js';
import { ROUND_ID_PATTERN } from '../core/round.js';

export type AccountKind = 'investor' | 'escrow' | 'external';

export const EXTERNAL = 'external';

export const investorAccount = (investor: string): string => `investor:${investor}`;
export const escrowAccount = (round: string): string => `escrow:${round}`;
const externalAccount = (currency: string): string => `external:${currency}`;

/** The kind of a name that the outside uses, or null when it is no account's name. */
export function accountKind(name: string): AccountKind | null {
  if (name === EXTERNAL) return 'external';
  if (name.startsWith('investor:') && isInvestorId(name.slice('investor:'.length))) return 'investor';
  if (name.startsWith('escrow:') && ROUND_ID_PATTERN.test(name.slice('escrow:'.length))) return 'escrow';
  return null;
}

/** The name under which it is stored. */
export function storedName(name: string, currency: string): string {
  return name === EXTERNAL ? externalAccount(currency) : name;
}

/** The kind of a stored name. */
export function storedKind(stored: string): AccountKind {
  if (stored.startsWith('investor:')) return 'investor';
  return stored.startsWith('escrow:') ? 'escrow' : 'external';
}

/** The name as the outside knows it. */
export function shownName(stored: string): string {
  return storedKind(stored) === 'external' ? EXTERNAL : stored;
}
