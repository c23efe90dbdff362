// What an audit has found: every difference counted, the first of each kind spelled out.

import { AUDIT_PROBLEMS_MAX } from '../core/limits.js';

/** The part before the first dash is what the difference is in. */
export type FindingKind =
  | 'journal-damaged'
  | 'journal-failed'
  | 'journal-over-cap'
  | 'journal-second-verdict'
  | 'journal-second-live'
  | 'journal-outcome'
  | 'journal-round'
  | 'journal-lineage'
  | 'journal-more'
  | 'index-damaged'
  | 'index-totals'
  | 'index-row'
  | 'queue-depth'
  | 'nsq-lost'
  | 'nsq-dead-letters'
  | 'rows-missing'
  | 'rows-differ'
  | 'rows-epoch'
  | 'counters-differ'
  | 'watermark-ahead'
  | 'watermark-epoch'
  | 'watermark-journal'
  | 'watermark-fell'
  | 'watermark-unreadable'
  | 'ledger-unknown'
  | 'ledger-differs'
  | 'ledger-twice'
  | 'ledger-missing'
  | 'ledger-quarantined'
  | 'books-sum'
  | 'books-escrow'
  | 'books-settled'
  | 'books-outcomes'
  | 'books-fault';

export interface Finding {
  readonly kind: FindingKind;
  /** Id of the investment that differs, where it is one. */
  readonly investment?: string;
  /** Id of the round. */
  readonly round?: string;
  readonly detail: string;
}

/** What crosses threads. */
export interface FindingList {
  readonly list: readonly Finding[];
  readonly counts: readonly (readonly [FindingKind, number])[];
}

export class Findings {
  readonly #list: Finding[] = [];
  readonly #counts = new Map<FindingKind, number>();

  add(finding: Finding): void {
    const count = this.#counts.get(finding.kind) ?? 0;
    this.#counts.set(finding.kind, count + 1);
    if (count < AUDIT_PROBLEMS_MAX) this.#list.push(finding);
  }

  /** Counts differences that nobody has spelled out. */
  addUnnamed(kind: FindingKind, count: number): void {
    if (count > 0) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count);
  }

  /** Takes over what another thread has found. */
  merge({ list, counts }: FindingList): void {
    for (const [kind, count] of counts) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count);
    this.#list.push(...list);
  }

  /** How many differences there are in one place, or everywhere. */
  count(place = ''): number {
    let sum = 0;
    for (const [kind, count] of this.#counts) {
      if (place === '' || kind.startsWith(`${place}-`)) sum += count;
    }
    return sum;
  }

  /** In a form for another thread, and for a report. */
  all(): FindingList {
    return { list: this.#list, counts: [...this.#counts] };
  }
}
