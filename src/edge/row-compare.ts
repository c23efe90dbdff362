// The rows in Cassandra against the journal, row by row, for `openbell audit`; and their repair from the journal, for
// `openbell replay`. Memory holds one bucket of either side, whatever there is in all.
//
// Compared is what the replicator had reached when it began: what is on its way is no difference. The journal is right.

import { EpochBook, type EpochEntry } from '../core/epochs.js';
import { InvestmentIds } from '../core/ids.js';
import { describeDamage, journalStart } from '../core/journal-format.js';
import { err, ok, type Result } from '../core/result.js';
import { forEachRow } from '../core/row-codec.js';
import { aboutInvestment, type Row } from '../core/rows.js';
import type { RowEntry, RowStore, StoredRow } from '../engines/rows.js';
import { type FindingKind, type FindingList, Findings } from '../workers/audit-findings.js';
import { JournalReader } from '../workers/journal-reader.js';
import { foundEpoch } from './found-epoch.js';
import type { ReplicationPlaces } from './replicator-protocol.js';
import type { TailRow } from './row-tail.js';
import { bucketOf, StoredRows } from './stored-rows.js';

export interface RowsCompared {
  readonly findings: FindingList;
  /** Rows from 1 to here were compared. */
  readonly upTo: number;
  readonly missing: number;
  readonly differing: number;
  /** Rows, and epochs, that were written again. */
  readonly repaired: number;
}

export interface CompareOptions {
  readonly places: ReplicationPlaces;
  readonly store: RowStore;
  /** The last sequence to compare: replicated by now. */
  readonly upTo: number;
  /** Writes from the journal what differs. */
  readonly repair: boolean;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly delay: (ms: number) => Promise<void>;
}

/** Compares, and repairs if that is wanted; the error says why it could not. */
export async function compareRows(options: CompareOptions): Promise<Result<RowsCompared, string>> {
  const comparison = new Comparison(options);
  try {
    return await comparison.run();
  } finally {
    comparison.close();
  }
}

class Comparison {
  readonly #options: CompareOptions;
  readonly #reader: JournalReader;
  readonly #ids: InvestmentIds;
  readonly #findings = new Findings();
  readonly #roundIds = new Map<number, string>();
  /** Read and not compared yet: the rest of a frame that reaches into the next bucket. */
  #ahead: TailRow[] = [];
  #missing = 0;
  #differing = 0;
  #repaired = 0;

  constructor(options: CompareOptions) {
    const { journalDir, journalId, lineage } = options.places;
    this.#options = options;
    this.#reader = new JournalReader(journalDir, journalId, journalStart(journalId));
    this.#ids = new InvestmentIds(lineage);
  }

  async run(): Promise<Result<RowsCompared, string>> {
    const { store, upTo, delay } = this.#options;
    const book = await this.#epochs();
    if (!book.ok) return book;
    const stored = new StoredRows(store, book.value, delay);
    const begun = await stored.begin();
    if (!begun.ok) return err(begun.error.message);
    for (let bucket = 0; bucket <= bucketOf(upTo); bucket++) {
      const own = this.#ownRows(bucket);
      if (!own.ok) return own;
      for (const { row } of own.value) if (row.kind === 'round') stored.know(row.definition, row.sequence);
      const found = await stored.bucket(bucket);
      if (!found.ok) return err(found.error.message);
      const wrong = this.#compare(own.value, found.value, book.value);
      const mended = await this.#mend(wrong);
      if (!mended.ok) return mended;
    }
    const [missing, differing, repaired] = [this.#missing, this.#differing, this.#repaired];
    return ok({ findings: this.#findings.all(), upTo, missing, differing, repaired });
  }

  close(): void {
    this.#reader.close();
  }

  /** The epochs on record, all of the journal's among them: without one its rows would not count. */
  async #epochs(): Promise<Result<EpochBook, string>> {
    const { store, repair, places, nowMs } = this.#options;
    const known = await store.epochs();
    if (!known.ok) return err(known.error.message);
    const own = this.#ownEpochs();
    if (!own.ok) return own;
    const entries: EpochEntry[] = [...known.value];
    let previous = 0;
    for (const [epoch, firstSequence] of own.value) {
      const entry = foundEpoch(places.lineage, { epoch, firstSequence, previous }, nowMs());
      previous = epoch;
      if (entries.some((one) => one.epoch === epoch)) continue;
      this.#note('rows-epoch', 0, `epoch ${epoch} of the journal is not on record, so its rows do not count`);
      if (!repair) continue;
      const claimed = await store.claimEpoch(entry);
      if (!claimed.ok) return err(claimed.error.message);
      this.#repaired += 1;
      entries.push(entry);
    }
    return ok(new EpochBook(entries));
  }

  /** Each epoch of the journal with its first sequence, from the heads of its frames. */
  #ownEpochs(): Result<Map<number, number>, string> {
    const { journalDir, journalId } = this.#options.places;
    const reader = new JournalReader(journalDir, journalId, journalStart(journalId));
    const epochs = new Map<number, number>();
    try {
      let read = reader.next(this.#options.upTo);
      while (read.ok && read.value !== null) {
        const { epoch, firstSequence } = read.value.header;
        if (!epochs.has(epoch)) epochs.set(epoch, firstSequence);
        read = reader.next(this.#options.upTo);
      }
      return read.ok ? ok(epochs) : err(describeDamage(read.error));
    } finally {
      reader.close();
    }
  }

  /** The journal's rows of a bucket, up to where is compared. */
  #ownRows(bucket: number): Result<readonly TailRow[], string> {
    const rows = this.#ahead;
    const isPast = (): boolean => rows.length > 0 && bucketOf(rows.at(-1)!.row.sequence) > bucket;
    while (!isPast()) {
      const read = this.#reader.next(this.#options.upTo);
      if (!read.ok) return err(describeDamage(read.error));
      if (read.value === null) break;
      const { epoch, firstSequence, count } = read.value.header;
      const visited = forEachRow(read.value.payload, firstSequence, count, (row) =>
        rows.push({ row, epoch }),
      );
      if (!visited.ok) return err(`the journal holds a frame that cannot be read: ${visited.error}`);
    }
    const end = rows.findIndex(({ row }) => bucketOf(row.sequence) > bucket);
    this.#ahead = end < 0 ? [] : rows.slice(end);
    const own = (end < 0 ? rows : rows.slice(0, end)).filter(({ row }) => row.sequence <= this.#options.upTo);
    for (const { row } of own) {
      if (row.kind === 'round') this.#roundIds.set(row.definition.number, row.definition.id);
    }
    return ok(own);
  }

  /** Notes every difference; what would have to be written again. */
  #compare(own: readonly TailRow[], found: readonly StoredRow<Row>[], book: EpochBook): RowEntry[] {
    const wrong: RowEntry[] = [];
    let at = 0;
    for (const { row, epoch } of own) {
      while (at < found.length && found[at]!.sequence < row.sequence) at++;
      const stored = found[at]?.sequence === row.sequence ? found[at] : undefined;
      const difference = describeDifference(row, epoch, stored, book);
      if (difference === null) continue;
      const isMissing = stored === undefined;
      if (isMissing) this.#missing += 1;
      else this.#differing += 1;
      this.#note(
        isMissing ? 'rows-missing' : 'rows-differ',
        aboutInvestment(row),
        difference,
        this.#roundOf(row),
      );
      wrong.push({ row, epoch, round: this.#roundOf(row) });
    }
    return wrong;
  }

  async #mend(wrong: readonly RowEntry[]): Promise<Result<undefined, string>> {
    if (!this.#options.repair || wrong.length === 0) return ok(undefined);
    const written = await this.#options.store.write(wrong);
    if (!written.ok) return err(written.error.message);
    this.#repaired += wrong.length;
    return ok(undefined);
  }

  #roundOf(row: Row): string {
    if (row.kind === 'lineage') return '';
    return row.kind === 'round' ? row.definition.id : (this.#roundIds.get(row.round) ?? '');
  }

  #note(kind: FindingKind, about: number, detail: string, round = ''): void {
    this.#findings.add({
      kind,
      ...(about === 0 ? {} : { investment: this.#ids.idOf(about) }),
      ...(round === '' ? {} : { round }),
      detail,
    });
  }
}

/** What differs, in words; null when nothing does. */
function describeDifference(
  row: Row,
  epoch: number,
  stored: StoredRow<Row> | undefined,
  book: EpochBook,
): string | null {
  const { sequence } = row;
  if (stored === undefined) {
    const counts = book.at(sequence)?.epoch;
    if (counts !== undefined && counts !== epoch)
      return `row ${sequence} of epoch ${epoch} does not count: from there on epoch ${counts} decides`;
    return `row ${sequence} (${nameOf(row)}) is not in Cassandra`;
  }
  if (!stored.row.ok) return `row ${sequence} in Cassandra is none: ${stored.row.error}`;
  const other = stored.row.value;
  if (other.kind !== row.kind)
    return `row ${sequence} is a ${nameOf(other)} in Cassandra, not a ${nameOf(row)}`;
  for (const [field, value] of Object.entries(row)) {
    const told: unknown = (other as unknown as Record<string, unknown>)[field];
    if (JSON.stringify(told) === JSON.stringify(value)) continue;
    return `row ${sequence}: ${field} is ${JSON.stringify(told)} in Cassandra, not ${JSON.stringify(value)}`;
  }
  return null;
}

function nameOf(row: Row): string {
  if (row.kind === 'verdict') return `verdict of ${row.investor}`;
  if (row.kind === 'outcome') return `outcome of ${row.investor}`;
  return row.kind === 'round' ? `change of round ${row.definition.id}` : 'lineage';
}
