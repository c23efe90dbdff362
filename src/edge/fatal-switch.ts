// What ends admission for good trips this switch, once. Clients and probes see `not-durable` for a while, then the
// process ends: after a failed sync the kernel may report the next one as clean, so a retry would be a lie.

import type { Logger } from 'pino';
import { EXIT } from '../core/exit-codes.js';
import { FAIL_STOP_GRACE_MS } from '../core/limits.js';
import type { StartFailure } from './start-state.js';

export class FatalSwitch {
  /** Settles after the grace that follows the trip. */
  readonly settled: Promise<StartFailure>;
  readonly #logger: Logger;
  #settle: (failure: StartFailure) => void = () => undefined;
  #act: ((reason: string) => void) | null = null;
  #reason: string | null = null;

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

  /** What to do at the trip; at once if it has happened. */
  onTrip(act: (reason: string) => void): void {
    this.#act = act;
    if (this.#reason !== null) act(this.#reason);
  }

  trip(reason: string): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#logger.fatal({ reason }, 'admission has ended: nothing more is admitted by this process');
    this.#act?.(reason);
    const failure = { message: `admission has ended: ${reason}`, exitCode: EXIT.internal };
    setTimeout(() => this.#settle(failure), FAIL_STOP_GRACE_MS);
  }
}
