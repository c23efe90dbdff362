// Locks on investors, held by the ledger while it moves their money: whole groups at a time. Their fencing token is the
// epoch under which the ledger owns its books: the store has been claimed with it and checks it in each transaction,
// so a lock that was lost while its holder slept lets nothing through.

import { err, ok, type Result } from '../core/result.js';

export type LockFailure =
  /** Somebody else holds some of them; none was taken. */
  | { readonly code: 'held'; readonly investors: readonly string[] }
  /** It is not known whether they were taken; a second try finds out. */
  | { readonly code: 'unreachable'; readonly message: string }
  /** This process owns the books no more. */
  | { readonly code: 'lost'; readonly message: string };

export interface HeldLocks {
  /** Lets go of all of them. When that cannot be told, they end with the lease, and this holder may take them again. */
  release(): Promise<void>;
}

export interface InvestorLocks {
  /** Takes the locks of all these investors, or of none. Naming one twice is naming it once. */
  acquire(investors: readonly string[]): Promise<Result<HeldLocks, LockFailure>>;
}

/** The embedded twin: locks within this process, which is the only one. */
export class LocalInvestorLocks implements InvestorLocks {
  readonly #held = new Set<string>();

  async acquire(investors: readonly string[]): Promise<Result<HeldLocks, LockFailure>> {
    const wanted = new Set(investors);
    const taken = [...wanted].filter((investor) => this.#held.has(investor));
    if (taken.length > 0) return err({ code: 'held', investors: taken });
    for (const investor of wanted) this.#held.add(investor);
    return ok({
      release: async () => {
        for (const investor of wanted) this.#held.delete(investor);
        wanted.clear();
      },
    });
  }
}
