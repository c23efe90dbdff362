// Builds the journal again from the rows in Cassandra, after its disk is lost or another node has gone on without it.
//
// All or nothing: a fresh directory is filled and synced, checked as a whole, the new epoch put on record, and only then
// does it become the journal. Until then nothing has changed, and the next run begins anew. The new journal has an
// id of its own and begins its own sequences with a lineage row, so that what was saved keeps its ids, and what only
// the lost disk had can never share one with what is decided from now on.

import fs from 'node:fs';
import path from 'node:path';
import { must } from '../core/assert.js';
import { type AckLevel, EpochBook, type EpochEntry } from '../core/epochs.js';
import { err, ok, type Result } from '../core/result.js';
import type { LineageRow } from '../core/rows.js';
import type { RowStore } from '../engines/rows.js';
import { checkSegments } from '../workers/journal-segments.js';
import { isSound, type JournalReport, verifyJournal } from '../workers/journal-verify.js';
import { walkJournal } from '../workers/journal-walk.js';
import { type FoundRows, type KnownMark, type MissingRows, missingRows } from './rebuild-found.js';
import { JournalBuilder } from './rebuild-journal.js';
import { collectRows } from './rebuild-read.js';
import { firstCursor, writeCursor } from './replication-cursor.js';
import { StoredRows } from './stored-rows.js';

export interface RebuildOptions {
  readonly store: RowStore;
  readonly journalDir: string;
  readonly cursorFile: string;
  readonly segmentBytes: number;
  /** How far the journal is known to have been durable and promised; null where nobody remembers. */
  readonly watermark: (KnownMark & { readonly at: string }) | null;
  /** Takes an epoch above all that are known, under which this node owns its rounds; the error is why it cannot. */
  readonly epochAbove: (floor: number) => Promise<Result<number, string>>;
  readonly ack: AckLevel;
  /** The first missing sequence, as it was named: the operator gives up what is missing from there on. */
  readonly acceptLossFrom: number | null;
  /** A journal that is there and is not the newest one is set aside; else it is a reason to stop. */
  readonly replaceExisting: boolean;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly delay: (ms: number) => Promise<void>;
}

export interface RebuildReport {
  /** `kept`: the journal that is there is the newest one, or there are no rows at all. */
  readonly kind: 'rebuilt' | 'kept';
  readonly journalId: string | null;
  /** Under which the journal was built, or the newest on record; 0: none is. */
  readonly epoch: number;
  /** The last sequence of the journal as it was built: its lineage row. 0 when it was kept. */
  readonly lastSequence: number;
  /** Rows that came from the store. */
  readonly rows: number;
  readonly rounds: JournalReport['rounds'];
  /** What was given up; null: nothing. */
  readonly lost: MissingRows | null;
  /** What an operator should know. */
  readonly warnings: readonly string[];
  /** Where a journal that was there has gone; null: there was none. */
  readonly setAside: string | null;
}

export interface RebuildFailure {
  /**
   * `missing`: rows are, see `missing`. `journal-present`: there is another journal. `superseded`: a newer epoch is on
   * record. `unsound`: the rows contradict each other. `unavailable`, `refused`: of the store. `disk`: it failed.
   * `nothing-missing`: a loss was accepted that there is not, or another one.
   */
  readonly code:
    | 'missing'
    | 'nothing-missing'
    | 'journal-present'
    | 'superseded'
    | 'unsound'
    | 'unavailable'
    | 'refused'
    | 'disk';
  readonly message: string;
  readonly missing?: MissingRows;
}

type Failed = Result<never, RebuildFailure>;

/** Makes the newest journal of the rows that of this directory. Never rejects for what a disk or a store may do. */
export async function rebuildJournal(
  options: RebuildOptions,
): Promise<Result<RebuildReport, RebuildFailure>> {
  const { store, journalDir } = options;
  const epochs = await store.epochs();
  if (!epochs.ok) return epochs;
  const book = new EpochBook(epochs.value);
  const present = presentJournal(journalDir);
  const newest = book.newest;
  if (newest === null || newest.journalId === present || hasGoneOn(present, newest, options.watermark)) {
    return ok({ ...NOTHING_BUILT, journalId: present, epoch: newest?.epoch ?? 0 });
  }
  if (present !== null && !options.replaceExisting) {
    const message = `there is a journal in ${journalDir} (${present}), and the rows are of journal ${newest.journalId}: move it away first`;
    return err({ code: 'journal-present', message });
  }
  const raised = await options.epochAbove(Math.max(options.watermark?.epoch ?? 0, newest.epoch));
  if (!raised.ok) return err({ code: 'unavailable', message: raised.error });
  const epoch = raised.value;
  if (epoch <= newest.epoch) {
    const message = `epoch ${newest.epoch} is on record, and this node would run under ${epoch}`;
    return err({ code: 'superseded', message });
  }
  const fresh = `${journalDir}.rebuild`;
  try {
    const rebuild = new Rebuild(options, book, epoch, fresh);
    const built = await rebuild.run().finally(() => rebuild.close());
    if (!built.ok) return built;
    return ok({ ...built.value, setAside: putInPlace(fresh, journalDir, present) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return err({ code: 'disk', message: (error as Error).message });
  } finally {
    discard(fresh);
  }
}

/**
 * The journal that is here was owned after the newest epoch on record, while the store was away: that epoch's builder has
 * admitted nothing, or the watermark would be its own.
 */
function hasGoneOn(present: string | null, newest: EpochEntry, mark: KnownMark | null): boolean {
  return mark !== null && mark.journalId === present && mark.epoch > newest.epoch;
}

/** What is left of a run that came to nothing; one that cannot be removed is so at the beginning of the next. */
function discard(fresh: string): void {
  try {
    fs.rmSync(fresh, { recursive: true, force: true });
  } catch {
    // Whatever is wrong with the disk has been told.
  }
}

const NOTHING_BUILT = {
  kind: 'kept',
  lastSequence: 0,
  rows: 0,
  rounds: [],
  lost: null,
  warnings: [],
  setAside: null,
} as const;

class Rebuild {
  readonly #options: RebuildOptions;
  readonly #book: EpochBook;
  readonly #epoch: number;
  readonly #fresh: string;
  readonly #builder: JournalBuilder;

  constructor(options: RebuildOptions, book: EpochBook, epoch: number, fresh: string) {
    this.#options = options;
    this.#book = book;
    this.#epoch = epoch;
    this.#fresh = fresh;
    fs.rmSync(fresh, { recursive: true, force: true });
    this.#builder = new JournalBuilder(fresh, options.segmentBytes);
  }

  async run(): Promise<Result<Omit<RebuildReport, 'setAside'>, RebuildFailure>> {
    const { store, watermark, delay, nowMs } = this.#options;
    const identity = await store.identity();
    if (!identity.ok) return identity;
    const rows = new StoredRows(store, this.#book, delay);
    const found = await collectRows(rows, this.#book, watermark?.sequence ?? 0, (row, epoch) =>
      this.#builder.add(row, epoch),
    );
    if (!found.ok) return found;
    this.#builder.flush();
    const { end } = found.value;
    const lost = this.#judgeLoss(found.value);
    if (!lost.ok) return lost;
    const cursor = { ...firstCursor(identity.value, this.#builder.journalId), rows: this.#builder.position };
    const own = { journalId: this.#builder.journalId, firstSequence: end + 1 };
    const lineage = [...(this.#book.lineage(end + 1) ?? []), own];
    const at = nowMs();
    const lostThrough = lost.value?.to ?? 0;
    const row: LineageRow = { kind: 'lineage', sequence: end + 1, at, lineage, lostThrough };
    this.#builder.add(row, this.#epoch);
    this.#builder.flush();
    const report = verifyJournal(this.#fresh, Number.POSITIVE_INFINITY);
    if (!isSound(report) || report.lastSequence !== end + 1) return this.#unsound(report);
    const claimed = await this.#claim(own.firstSequence, at);
    if (!claimed.ok) return claimed;
    // Before any watermark speaks of it: whoever takes over next, from whatever is left of this node, has it too.
    const saved = await store.write([{ row, epoch: this.#epoch, round: '' }]);
    if (!saved.ok) return saved;
    // Of the journal by its id, so it means nothing before that is in place, and nothing is written twice after.
    writeCursor(this.#options.cursorFile, cursor);
    return ok({
      kind: 'rebuilt',
      journalId: own.journalId,
      epoch: this.#epoch,
      lastSequence: end + 1,
      rows: end,
      rounds: report.rounds,
      lost: lost.value,
      warnings: this.#warnings(found.value),
    });
  }

  close(): void {
    this.#builder.close();
  }

  /** What is given up; an error where something is missing that nobody has accepted. */
  #judgeLoss(found: FoundRows): Result<MissingRows | null, RebuildFailure> {
    const { watermark, acceptLossFrom } = this.#options;
    const totals = () => verifyJournal(this.#fresh, Number.POSITIVE_INFINITY).rounds;
    const missing = missingRows(found, this.#book, watermark, totals);
    if (missing === null) {
      if (acceptLossFrom === null) return ok(null);
      const message = `nothing is missing: the rows go to sequence ${found.end} without a hole. Leave out --accept-loss-from`;
      return err({ code: 'nothing-missing', message });
    }
    if (acceptLossFrom === missing.from) return ok(missing);
    const { from, to, because } = missing;
    const wrong = acceptLossFrom === null ? '' : ` (not ${acceptLossFrom})`;
    const message = `sequences ${from} to ${to} are missing: ${because.join('; ')}. Bring the disk or the rows back; or give them up with --accept-loss-from ${from}${wrong}`;
    return err({ code: 'missing', message, missing });
  }

  async #claim(firstSequence: number, at: number): Promise<Result<undefined, RebuildFailure>> {
    const { store, ack } = this.#options;
    const { journalId } = this.#builder;
    const builtAfter = must(this.#book.newest, 'an epoch whose rows these are').epoch;
    const claim = await store.claimEpoch({
      ...{ epoch: this.#epoch, journalId, firstSequence, builtAfter, ack, at },
    });
    if (!claim.ok) return claim;
    if (claim.value.claimed) return ok(undefined);
    const message = `epoch ${this.#epoch} is on record for journal ${claim.value.by.journalId}: another node has taken over`;
    return err({ code: 'superseded', message });
  }

  #unsound({ damage, problems, problemCount }: JournalReport): Failed {
    const first = problems[0];
    const what = damage?.reason ?? (first === undefined ? 'rows are missing' : first.detail);
    const more = problemCount > 1 ? `, and ${problemCount - 1} more` : '';
    return err({ code: 'unsound', message: `the rows do not make a sound journal: ${what}${more}` });
  }

  #warnings({ end, beyond }: FoundRows): string[] {
    const warnings: string[] = [];
    const { watermark } = this.#options;
    if (beyond !== null) {
      warnings.push(
        `${beyond.count} rows from sequence ${beyond.first} to ${beyond.last} were on their way behind a hole and do not count`,
      );
    }
    if (this.#book.at(end + 1)?.ack === 'journal') {
      const since = watermark === null ? 'and no watermark remembers how far' : `after ${watermark.at}`;
      warnings.push(
        `the lost node had acknowledged from its own disk: what it admitted ${since} cannot be known here`,
      );
    }
    return warnings;
  }
}

/**
 * The id of the journal in a directory; null: there is none, or none that holds a row, as a start leaves it that was
 * refused. A damaged one is one all the same.
 */
export function presentJournal(journalDir: string): string | null {
  const segments = checkSegments(journalDir);
  if (!segments.ok) return 'damaged';
  const journalId = segments.value[0]?.journalId;
  if (journalId === undefined) return null;
  const first = walkJournal(journalDir, Number.POSITIVE_INFINITY).next();
  return first.done === true && first.value.ok ? null : journalId;
}

/** The fresh directory takes the place of the journal; where that has gone, if there was one. */
function putInPlace(fresh: string, journalDir: string, present: string | null): string | null {
  let setAside: string | null = null;
  if (present !== null) {
    setAside = `${journalDir}.${present}`;
    fs.rmSync(setAside, { recursive: true, force: true });
    fs.renameSync(journalDir, setAside);
  } else fs.rmSync(journalDir, { recursive: true, force: true });
  fs.renameSync(fresh, journalDir);
  const parent = fs.openSync(path.dirname(journalDir), 'r');
  try {
    fs.fsyncSync(parent);
  } finally {
    fs.closeSync(parent);
  }
  return setAside;
}
