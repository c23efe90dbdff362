// Reads the claims of a token where they lie, in the form that issuers write: one flat JSON object of plain strings,
// whole numbers, true, false and null. Anything else (escapes, arrays, fractions, a claim given twice) is left to
// JSON.parse in token.ts: this reader then answers `unusual`, never a guess.

import { isTextAt, plainStringEnd } from './ascii.js';
import { Span } from './span.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const DIGITS_MAX = 15;

/** Claims that this reader knows, by their names. */
const NAMES = ['sub', 'exp', 'nbf', 'aud', 'iss'] as const;
const [SUB, EXP, NBF, AUD, ISS] = [0, 1, 2, 3, 4];
const LITERALS = ['true', 'false', 'null'] as const;

export class ClaimsScanner {
  readonly subject = new Span();
  readonly audience = new Span();
  readonly issuer = new Span();
  /** Seconds since the epoch; -1 when absent. */
  expiresAtS = -1;
  notBeforeS = -1;
  #seen = 0;

  /** True when `bytes[0, end)` has the plain form: then the fields hold its claims. False: it is unusual. */
  scan(bytes: Buffer, end: number): boolean {
    this.expiresAtS = -1;
    this.notBeforeS = -1;
    this.subject.end = this.subject.start;
    this.audience.end = this.audience.start;
    this.issuer.end = this.issuer.start;
    this.#seen = 0;
    if (bytes[0] !== OPEN || bytes[end - 1] !== CLOSE) return false;
    let at = 1;
    // Each turn reads one member, and members take bytes, so this ends.
    while (at < end) {
      if (bytes[at] !== QUOTE) return false;
      const nameStart = at + 1;
      const nameEnd = plainStringEnd(bytes, nameStart, end);
      if (nameEnd < 0 || bytes[nameEnd + 1] !== COLON) return false;
      at = this.#value(bytes, nameStart, nameEnd, nameEnd + 2, end);
      if (at < 0) return false;
      if (bytes[at] === CLOSE) return at === end - 1;
      if (bytes[at] !== COMMA) return false;
      at++;
    }
    return false;
  }

  /** Reads a member's value and answers where it ends, or -1. */
  #value(bytes: Buffer, nameStart: number, nameEnd: number, from: number, end: number): number {
    const name = nameEnd - nameStart === 3 ? nameAt(bytes, nameStart) : -1;
    if (name >= 0) {
      if ((this.#seen & (1 << name)) !== 0) return -1;
      this.#seen |= 1 << name;
    }
    const first = bytes[from]!;
    if (first === QUOTE) {
      const valueEnd = plainStringEnd(bytes, from + 1, end);
      if (valueEnd < 0 || name === EXP || name === NBF) return -1;
      if (name === SUB) this.subject.set(bytes, from + 1, valueEnd);
      else if (name === AUD) this.audience.set(bytes, from + 1, valueEnd);
      else if (name === ISS) this.issuer.set(bytes, from + 1, valueEnd);
      return valueEnd + 1;
    }
    if (first >= 0x30 && first <= 0x39) {
      let at = from;
      let value = 0;
      for (let digit = first - 0x30; digit >= 0 && digit <= 9; digit = bytes[++at]! - 0x30) {
        value = value * 10 + digit;
      }
      if (at - from > DIGITS_MAX || (first === 0x30 && at - from > 1)) return -1;
      if (name === EXP) this.expiresAtS = value;
      else if (name === NBF) this.notBeforeS = value;
      else if (name >= 0) return -1;
      return at;
    }
    if (name >= 0) return -1;
    for (const literal of LITERALS) {
      if (isTextAt(bytes, from, literal)) return from + literal.length;
    }
    return -1;
  }
}

function nameAt(bytes: Buffer, from: number): number {
  for (let name = 0; name < NAMES.length; name++) if (isTextAt(bytes, from, NAMES[name]!)) return name;
  return -1;
}
