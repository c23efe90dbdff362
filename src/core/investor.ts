// What names an investor: the token's subject, 1-128 bytes of visible ASCII.

import { INVESTOR_BYTES_MAX } from './limits.js';
import { isVisible } from './row-layout.js';
import { Span } from './span.js';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const SECOND_OFFSET = 0x9747b28c;
const SECOND_PRIME = 0x5bd1e995;

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
  let hash = FNV_OFFSET;
  for (let i = 0; i < investor.length; i++) hash = Math.imul(hash ^ investor.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

/** An investor's id as bytes, with its hashes. */
export class InvestorName extends Span {
  /** As `investorHash` of the same id. */
  hash = 0;
  /** 53 bits, never 0: `hash` and 21 bits of a second one. */
  hash53 = 1;

  /** Hashes what is named; false when it is no investor id. */
  take(): boolean {
    const { bytes, start, end } = this;
    if (start >= end || end - start > INVESTOR_BYTES_MAX || !isVisible(bytes, start, end)) return false;
    let low = FNV_OFFSET;
    let high = SECOND_OFFSET;
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      low = Math.imul(low ^ byte, FNV_PRIME);
      high = Math.imul(high ^ byte, SECOND_PRIME);
    }
    this.hash = low >>> 0;
    this.hash53 = (high >>> 11) * 2 ** 32 + this.hash || 1;
    return true;
  }

  /** Takes an id that is a string; false when it is none. */
  takeText(investor: string): boolean {
    if (!isInvestorId(investor)) return false;
    this.setText(investor);
    return this.take();
  }
}
