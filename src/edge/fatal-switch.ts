// What ends admission for good trips this switch, once. Clients and probes see `not-durable` or `fenced` for a while,
// then the process ends. After a failed sync the kernel may report the next one as clean, so a retry would be a lie; and
// who has lost the lease begins anew as a standby.

import type { Logger } from 'pino';
import { EXIT } from '../core/exit-codes.js';
import { FAIL_STOP_GRACE_MS } from '../core/limits.js';
import type { StartFailure } from './start-state.js';

/** `failed`: the journal, or a thread. `fenced`: another may own the rounds by now. */
export type FatalKind = 'failed' | 'fenced';

export class FatalSwitch {
  /** Settles after the grace that follows the trip. */
  readonly settled: Promise<StartFailure>;
  readonly #logger: Logger;
  #settle: (failure: StartFailure) => void = () => undefined;
  #act: ((reason: string, kind: FatalKind) => void) | null = null;
  #reason: string | null = null;
  #kind: FatalKind = 'failed';

  constructor(logger: Logger) {
    this.#logger = logger;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Why it tripped, or null. */
  get reason(): string | null {
    return this.#reason;
  }

  get kind(): FatalKind {
    return this.#kind;
  }

  /** What to do at the trip; at once if it has happened. */
  onTrip(act: (reason: string, kind: FatalKind) => void): void {
    this.#act = act;
    if (this.#reason !== null) act(this.#reason, this.#kind);
  }

  trip(reason: string, kind: FatalKind = 'failed'): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#kind = kind;
    const what = kind === 'fenced' ? 'fenced' : 'admission has ended';
    this.#logger.fatal({ reason }, `${what}: nothing more is admitted by this process`);
    this.#act?.(reason, kind);
    const exitCode = kind === 'fenced' ? EXIT.tryAgain : EXIT.internal;
    setTimeout(() => this.#settle({ message: `${what}: ${reason}`, exitCode }), FAIL_STOP_GRACE_MS);
  }
}
