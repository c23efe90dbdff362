// Bearer tokens on the hot path: an HS256 token in the form that issuers write is checked where it lies, without a
// string. Every other one goes to TokenVerifier, which knows all forms; both give the same answer.

import { decodeBase64url } from './base64url.js';
import { ClaimsScanner } from './claims-scanner.js';
import { HS256_SIGNATURE_CHARS, Hs256 } from './hs256.js';
import { InvestorName } from './investor.js';
import { TOKEN_BYTES_MAX } from './limits.js';
import type { Span } from './span.js';
import { type TokenOptions, TokenVerifier } from './token.js';

/** Bytes of header that are compared with the last good one; a longer header takes the long way. */
const HEADER_BYTES_MAX = 512;
const DOT = 0x2e;

export class TokenReader {
  /** After `read` returned true: whom the token names, good until the next `read`. */
  readonly investor = new InvestorName();
  /** Seconds since the epoch. */
  expiresAtS = 0;
  readonly #verifier: TokenVerifier;
  readonly #hs256: Hs256 | null;
  readonly #audience: Buffer | null;
  readonly #issuer: Buffer | null;
  readonly #claims = new ClaimsScanner();
  readonly #payload = Buffer.allocUnsafeSlow(TOKEN_BYTES_MAX);
  /** The header of the last good HS256 token with its dot; nearly all tokens of an issuer have the same. */
  readonly #header = Buffer.alloc(HEADER_BYTES_MAX);
  #headerBytes = 0;

  constructor(options: TokenOptions) {
    this.#verifier = new TokenVerifier(options);
    this.#hs256 = options.secret === undefined ? null : new Hs256(options.secret);
    this.#audience = options.audience === undefined ? null : Buffer.from(options.audience, 'utf8');
    this.#issuer = options.issuer === undefined ? null : Buffer.from(options.issuer, 'utf8');
  }

  /**
   * Checks the token at `bytes[start, end)`; false when it is not valid (see TokenVerifier.verify).
   * @param nowMs milliseconds since the epoch
   */
  read(bytes: Buffer, start: number, end: number, nowMs: number): boolean {
    if (end - start > TOKEN_BYTES_MAX) return false;
    if (this.#readPlain(bytes, start, end, nowMs)) return true;
    return this.#readSlowly(bytes, start, end, nowMs);
  }

  /** False: not valid, or not in the plain form. */
  #readPlain(bytes: Buffer, start: number, end: number, nowMs: number): boolean {
    const headerBytes = this.#headerBytes;
    const payloadAt = start + headerBytes;
    // The one place where the second dot can be. A third dot is no character of base64url.
    const signedEnd = end - HS256_SIGNATURE_CHARS - 1;
    if (headerBytes === 0 || signedEnd <= payloadAt || bytes[signedEnd] !== DOT) return false;
    const header = this.#header;
    for (let i = 0; i < headerBytes; i++) if (bytes[start + i] !== header[i]) return false;
    if (this.#hs256?.verify(bytes, start, signedEnd, end) !== true) return false;
    const payload = this.#payload;
    const payloadBytes = decodeBase64url(bytes, payloadAt, signedEnd, payload);
    const claims = this.#claims;
    if (payloadBytes < 2 || !claims.scan(payload, payloadBytes)) return false;
    if (claims.expiresAtS * 1000 <= nowMs || claims.notBeforeS * 1000 > nowMs) return false;
    if (!isWanted(claims.audience, this.#audience) || !isWanted(claims.issuer, this.#issuer)) return false;
    const { subject } = claims;
    this.investor.set(payload, subject.start, subject.end);
    this.expiresAtS = claims.expiresAtS;
    return this.investor.take();
  }

  #readSlowly(bytes: Buffer, start: number, end: number, nowMs: number): boolean {
    const token = bytes.latin1Slice(start, end);
    const claims = this.#verifier.verify(token, nowMs);
    if (claims === null) return false;
    const headerBytes = token.indexOf('.') + 1;
    if (claims.alg === 'HS256' && headerBytes <= HEADER_BYTES_MAX) {
      this.#header.latin1Write(token, 0, headerBytes);
      this.#headerBytes = headerBytes;
    }
    this.expiresAtS = claims.exp;
    return this.investor.takeText(claims.investor);
  }
}

function isWanted(claim: Span, wanted: Buffer | null): boolean {
  return wanted === null || claim.equals(wanted, 0, wanted.length);
}
