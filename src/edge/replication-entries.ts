// Rows of the journal as entries of the row store: with the id of their round, which the journal has as a number, and the
// id that an investment is known by.

import { must } from '../core/assert.js';
import { InvestmentIds, type Lineage } from '../core/ids.js';
import { aboutInvestment, type Row } from '../core/rows.js';
import type { InvestorRowEntry, RowEntry } from '../engines/rows.js';
import type { TailRow } from './row-tail.js';

export class ReplicationEntries {
  readonly #ids: InvestmentIds;
  readonly #roundIds = new Map<number, string>();

  /** @param rounds those that were made before the first row that is given; later ones are learned from their rows */
  constructor(lineage: Lineage, rounds: readonly { readonly number: number; readonly id: string }[]) {
    this.#ids = new InvestmentIds(lineage);
    for (const { number, id } of rounds) this.#roundIds.set(number, id);
  }

  /** All of them, by sequence. */
  rows(chunk: readonly TailRow[]): RowEntry[] {
    return chunk.map(({ row, epoch }) => ({ row, epoch, round: this.#roundOf(row) }));
  }

  /** The verdicts and outcomes among them, for the view by investor. */
  investorRows(chunk: readonly TailRow[]): InvestorRowEntry[] {
    const entries: InvestorRowEntry[] = [];
    for (const { row, epoch } of chunk) {
      const round = this.#roundOf(row);
      if (row.kind !== 'verdict' && row.kind !== 'outcome') continue;
      entries.push({ row, epoch, round, investment: this.#ids.idOf(aboutInvestment(row)) });
    }
    return entries;
  }

  /** Also learns of a round that a row makes. */
  #roundOf(row: Row): string {
    if (row.kind === 'lineage') return '';
    if (row.kind !== 'round') return must(this.#roundIds.get(row.round), 'a round before its rows');
    const { number, id } = row.definition;
    this.#roundIds.set(number, id);
    return id;
  }
}
