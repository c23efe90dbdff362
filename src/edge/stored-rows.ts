// The rows of a store that count, bucket by bucket in the order of their sequence: for a rebuild, and for an audit.

import type { EpochBook } from '../core/epochs.js';
import { ROW_BUCKET_SEQUENCES, ROW_READ_ATTEMPTS_MAX, ROW_READ_RETRY_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { Row } from '../core/rows.js';
import type { ControlRow, RowStore, RowsFailure, StoredRow } from '../engines/rows.js';

/** A round, and where its first row is: none of its verdicts comes before. */
interface KnownRound {
  readonly id: string;
  readonly number: number;
  readonly createdAt: number;
}

export class StoredRows {
  readonly #store: RowStore;
  readonly #book: EpochBook;
  readonly #delay: (ms: number) => Promise<void>;
  #control: readonly StoredRow<ControlRow>[] = [];
  readonly #rounds = new Map<number, KnownRound>();

  /** @param delay resolves after so many milliseconds: between the tries of a read */
  constructor(store: RowStore, book: EpochBook, delay: (ms: number) => Promise<void>) {
    this.#store = store;
    this.#book = book;
    this.#delay = delay;
  }

  /** Reads the control rows, which say which rounds there are. Comes first. */
  async begin(): Promise<Result<undefined, RowsFailure>> {
    const control = await this.#insist(() => this.#store.controlRows());
    if (!control.ok) return control;
    this.#control = control.value.filter(({ sequence, epoch }) => this.#book.counts(sequence, epoch));
    for (const { sequence, row } of this.#control) {
      if (!row.ok || row.value.kind !== 'round') continue;
      this.know(row.value.definition, sequence);
    }
    return ok(undefined);
  }

  /** A round that is known from elsewhere, too: its own row may be what is missing. */
  know({ id, number }: { readonly id: string; readonly number: number }, createdAt: number): void {
    if (!this.#rounds.has(number)) this.#rounds.set(number, { id, number, createdAt });
  }

  /** The highest sequence of a control row; 0: there is none. */
  get lastControl(): number {
    return this.#control.at(-1)?.sequence ?? 0;
  }

  /** Everything of a bucket that counts, by ascending sequence: at most one row each. */
  async bucket(bucket: number): Promise<Result<readonly StoredRow<Row>[], RowsFailure>> {
    const end = (bucket + 1) * ROW_BUCKET_SEQUENCES;
    const all: StoredRow<Row>[] = this.#control.filter(({ sequence }) => bucketOf(sequence) === bucket);
    for (const round of this.#rounds.values()) {
      if (round.createdAt >= end) continue;
      const rows = await this.#insist(() => this.#store.bucketRows(round, bucket));
      if (!rows.ok) return rows;
      for (const one of rows.value) if (this.#book.counts(one.sequence, one.epoch)) all.push(one);
    }
    return ok(all.sort((a, b) => a.sequence - b.sequence));
  }

  /** Asks a few times: a read has no harm in it, and a host may be on its way back. */
  async #insist<T>(ask: () => Promise<Result<T, RowsFailure>>): Promise<Result<T, RowsFailure>> {
    let failure: RowsFailure | null = null;
    for (let attempt = 1; attempt <= ROW_READ_ATTEMPTS_MAX; attempt++) {
      const answer = await ask();
      if (answer.ok) return answer;
      failure = answer.error;
      if (failure.code === 'refused') break;
      if (attempt < ROW_READ_ATTEMPTS_MAX) await this.#delay(ROW_READ_RETRY_MS);
    }
    return err(failure ?? { code: 'unavailable', message: 'it was not asked' });
  }
}

export function bucketOf(sequence: number): number {
  return Math.floor(sequence / ROW_BUCKET_SEQUENCES);
}
