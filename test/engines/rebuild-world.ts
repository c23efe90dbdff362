// For tests: journals that are lost, what of their rows is in a store, and what a rebuild makes of it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { AckLevel } from '../../src/core/epochs.js';
import { ok } from '../../src/core/result.js';
import { forEachRow } from '../../src/core/row-codec.js';
import type { Row } from '../../src/core/rows.js';
import {
  type RebuildFailure,
  type RebuildOptions,
  type RebuildReport,
  rebuildJournal,
} from '../../src/edge/rebuild.js';
import { AT, temporaryDirectory } from '../../src/workers/journal-fixture.js';
import { isSound, verifyJournal } from '../../src/workers/journal-verify.js';
import { walkJournal } from '../../src/workers/journal-walk.js';
import { MemoryRowStore } from './memory-row-store.js';
import { ReplicatedJournal } from './replicated-journal.js';
import { epochAt, value } from './rows-contract.js';

export const REBUILD_SEGMENT_BYTES = 1_048_576;

type Mark = NonNullable<RebuildOptions['watermark']>;

/** A watermark, as an option of a rebuild. */
export function mark(
  journalId: string,
  sequence: number,
  rounds: Mark['rounds'] = [],
  epoch = 1,
): { watermark: Mark } {
  return { watermark: { journalId, sequence, rounds, epoch, at: '2026-11-23T10:00:00.000Z' } };
}

export class RebuildWorld {
  readonly root = temporaryDirectory();
  readonly journalDir = path.join(this.root, 'journal');
  readonly cursorFile = path.join(this.root, 'replicated.json');
  readonly store = new MemoryRowStore();
  readonly #journals: ReplicatedJournal[] = [];

  end(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
    for (const journal of this.#journals) journal.remove();
  }

  /** A journal whose files the test may use. */
  journal(): ReplicatedJournal {
    const journal = new ReplicatedJournal();
    this.#journals.push(journal);
    return journal;
  }

  /** A journal that has written rows, and is lost: all of them are in the store but for those that `keep` leaves out. */
  async lost(
    count: number,
    ack: AckLevel,
    keep: (sequence: number) => boolean = () => true,
  ): Promise<ReplicatedJournal> {
    const journal = this.journal();
    journal.more(count);
    await this.claim(1, journal.journalId, 1, ack);
    await this.save(journal.rows, 1, keep);
    return journal;
  }

  async claim(
    epoch: number,
    journalId: string,
    firstSequence: number,
    ack: AckLevel,
    builtAfter = 0,
  ): Promise<void> {
    value(await this.store.claimEpoch({ ...epochAt(epoch, journalId, firstSequence, builtAfter), ack }));
  }

  async save(rows: readonly Row[], epoch: number, keep: (sequence: number) => boolean): Promise<void> {
    const entries = rows
      .filter(({ sequence }) => keep(sequence))
      .map((row) => ({ row, epoch, round: 'round' in row ? (row.round === 1 ? 'crowd' : 'second') : '' }));
    value(await this.store.write(entries));
  }

  rebuild(changes: Partial<RebuildOptions> = {}): ReturnType<typeof rebuildJournal> {
    const { store, journalDir, cursorFile } = this;
    return rebuildJournal({
      store,
      journalDir,
      cursorFile,
      segmentBytes: REBUILD_SEGMENT_BYTES,
      watermark: null,
      epochAbove: async (floor) => ok(floor + 1),
      ack: 'replicated',
      acceptLossFrom: null,
      replaceExisting: false,
      nowMs: () => AT,
      delay: async () => undefined,
      ...changes,
    });
  }

  /** The failure of a rebuild that must refuse, and leave nothing behind. */
  async refused(changes: Partial<RebuildOptions>): Promise<RebuildFailure> {
    const result = await this.rebuild(changes);
    assert.ok(!result.ok, 'it must refuse');
    assert.deepEqual(fs.readdirSync(this.root), [], 'and leave nothing behind');
    return result.error;
  }

  /** The rows of the journal that stands in the directory, with the epoch of each. */
  journaled(): { row: Row; epoch: number }[] {
    const found: { row: Row; epoch: number }[] = [];
    for (const { header, payload } of walkJournal(this.journalDir, Number.POSITIVE_INFINITY)) {
      const { firstSequence, count, epoch } = header;
      const read = forEachRow(payload, firstSequence, count, (row) => found.push({ row, epoch }));
      assert.ok(read.ok);
    }
    return found;
  }

  /** The journal has exactly these rows and its lineage row, and is sound. */
  assertRebuilt(report: RebuildReport, rows: readonly Row[]): void {
    assert.equal(report.kind, 'rebuilt');
    assert.equal(report.rows, rows.length);
    const found = this.journaled();
    assert.equal(found.length, rows.length + 1);
    for (const [at, row] of rows.entries()) assert.deepEqual(found[at]?.row, row);
    const last = found.at(-1)!;
    assert.deepEqual(
      [last.row.kind, last.row.sequence, last.epoch],
      ['lineage', rows.length + 1, report.epoch],
    );
    const check = verifyJournal(this.journalDir, Number.POSITIVE_INFINITY);
    assert.ok(isSound(check), JSON.stringify(check.problems));
    assert.deepEqual(check.rounds, report.rounds);
  }
}
