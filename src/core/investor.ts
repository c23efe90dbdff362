// What names an investor: the token's subject, 1-128 bytes of visible ASCII.

import { INVESTOR_BYTES_MAX } from './limits.js';

/** True for 1 to 128 characters between `!` and `~`: no spaces, so a space can separate it in an index key. */
export function isInvestorId(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > INVESTOR_BYTES_MAX) return false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return true;
}

/**
 * FNV-1a over the characters, 32 bits: which shard owns an investor. Nothing on disk depends on it.
 * Source: Fowler, Noll, Vo, draft-eastlake-fnv.
 */
export function investorHash(investor: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < investor.length; i++) hash = Math.imul(hash ^ investor.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
