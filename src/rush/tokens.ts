// The bearer tokens of a run, signed with the local development secret.

import { signToken } from '../core/token-signing.js';

/** How every token of one run is signed. */
export interface Signing {
  readonly secret: string;
  readonly audience?: string | undefined;
  readonly issuer?: string | undefined;
  readonly expiresAtS: number;
}

/** The tokens of a run's investors by index, each signed once. */
export class TokenBook {
  readonly #signing: Signing;
  readonly #nameOf: (index: number) => string;
  readonly #tokens: string[] = [];

  constructor(signing: Signing, nameOf: (index: number) => string) {
    this.#signing = signing;
    this.#nameOf = nameOf;
  }

  /** Signs the next tokens, up to `count` in all; call it before the load so that signing costs nothing during it. */
  signUpTo(count: number): void {
    while (this.#tokens.length < count) this.#tokens.push(this.#sign(this.#tokens.length));
  }

  token(index: number): string {
    return this.#tokens[index] ?? this.#sign(index);
  }

  #sign(index: number): string {
    return signToken(this.#signing.secret, { ...this.#signing, subject: this.#nameOf(index) });
  }
}
