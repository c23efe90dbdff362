// HS256 (RFC 7518, section 3.2) on bytes: HMAC (RFC 2104) as two one-shot hashes over precomputed pads, the cheapest
// form that node:crypto offers for short messages. Digests travel as Latin-1 text, for a Buffer costs twice the hash.

import { createHash, hash } from 'node:crypto';
import { assert } from './assert.js';
import { decodeBase64url } from './base64url.js';
import { TOKEN_BYTES_MAX } from './limits.js';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const SECRET_BYTES_MIN = 32;

/** Characters of a signature: 32 bytes in base64url. */
export const HS256_SIGNATURE_CHARS = 43;

export class Hs256 {
  /** Inner pad, then room for the signed part. */
  readonly #inner = Buffer.alloc(BLOCK_BYTES + TOKEN_BYTES_MAX, 0);
  /** Outer pad, then the inner digest. */
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, 0);
  readonly #signature = Buffer.alloc(DIGEST_BYTES + 1);
  /** The inner pad with so many bytes behind it: a view costs a sixth of a hash, and tokens have few lengths. */
  readonly #views = new Array<Buffer | undefined>(TOKEN_BYTES_MAX + 1);

  /** @param secret at least 32 bytes of UTF-8 */
  constructor(secret: string) {
    const key = Buffer.from(secret, 'utf8');
    assert(key.length >= SECRET_BYTES_MIN, 'the token secret must have at least 32 bytes');
    const block = key.length > BLOCK_BYTES ? createHash('sha256').update(key).digest() : key;
    for (let i = 0; i < BLOCK_BYTES; i++) {
      const byte = block[i] ?? 0;
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
  }

  /**
   * True when `bytes[signedEnd + 1, end)` is the signature of `bytes[start, signedEnd)`. Only the canonical text of
   * the signature is one. Every byte is compared, so the time tells nothing about where they differ.
   */
  verify(bytes: Buffer, start: number, signedEnd: number, end: number): boolean {
    const signedBytes = signedEnd - start;
    if (end - signedEnd - 1 !== HS256_SIGNATURE_CHARS || signedBytes > TOKEN_BYTES_MAX) return false;
    const signature = this.#signature;
    if (decodeBase64url(bytes, signedEnd + 1, end, signature) !== DIGEST_BYTES) return false;
    const inner = this.#inner;
    // A loop: `copy` makes a view first, and copies slowly out of memory that is shared.
    for (let from = start, to = BLOCK_BYTES; from < signedEnd; from++, to++) inner[to] = bytes[from]!;
    this.#views[signedBytes] ??= inner.subarray(0, BLOCK_BYTES + signedBytes);
    const outer = this.#outer;
    outer.latin1Write(hash('sha256', this.#views[signedBytes], 'binary'), BLOCK_BYTES);
    const digest = hash('sha256', outer, 'binary');
    let difference = 0;
    for (let i = 0; i < DIGEST_BYTES; i++) difference |= digest.charCodeAt(i) ^ signature[i]!;
    return difference === 0;
  }
}
