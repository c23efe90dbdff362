// Micro suite: one batch made durable, by the journal and, beside it, by LMDB.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { JOURNAL_ROW_BYTES_MAX, JOURNAL_SEGMENT_BYTES } from '../../src/core/limits.js';
import { encodeRow } from '../../src/core/row-codec.js';
import { FrameBuilder } from '../../src/workers/journal-frame.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from '../../src/workers/journal-head.js';
import { recoverJournal } from '../../src/workers/journal-recovery.js';
import { createSegment } from '../../src/workers/journal-segments.js';
import { JournalWriter } from '../../src/workers/journal-writer.js';
import { AT_MS, times, verdictRow } from './samples.js';
import type { Case, Suite } from './suite.js';

const ROWS_OF_A_BATCH = [1, 10, 100, 500] as const;

/** A journal of its own, with the next segment made ahead, as the upkeep does it. */
class BenchJournal {
  readonly head = new JournalHead(new SharedArrayBuffer(JOURNAL_HEAD_BYTES));
  readonly writer: JournalWriter;
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    const found = recoverJournal(dir, {
      from: null,
      floorSequence: 0,
      segmentBytes: JOURNAL_SEGMENT_BYTES,
      onFrame: () => undefined,
    });
    if (!found.ok) throw new Error(found.error.reason);
    this.head.start(found.value.journalId, found.value.end, found.value.lastSegment);
    this.writer = new JournalWriter(dir, this.head, { segmentBytes: JOURNAL_SEGMENT_BYTES, epoch: 1 });
    this.aheadOf(0);
  }

  /** Makes a segment when the one in use will not hold `bytes` more. */
  aheadOf(bytes: number): void {
    const { head } = this;
    if (head.segmentReady > head.segment || head.offset + 2 * bytes < JOURNAL_SEGMENT_BYTES) return;
    const index = head.segment + 1;
    createSegment(this.#dir, { index, segmentBytes: JOURNAL_SEGMENT_BYTES, journalId: head.journalId });
    head.raiseSegmentReady(index);
  }
}

function journalCase(journal: BenchJournal, rows: number): Case {
  const frame = new FrameBuilder();
  for (let i = 0; i < rows; i++) frame.add(verdictRow(i, 0));
  return {
    name: `journal, ${rows} ${rows === 1 ? 'row' : 'rows'}`,
    operations: 1,
    before: () => journal.aheadOf(frame.bytes),
    run: () => {
      const first = journal.writer.append(frame, AT_MS);
      if (journal.head.durableSequence !== first + rows - 1) throw new Error('the rows are not durable');
      return undefined;
    },
  };
}

/** The same row bytes under ascending keys, in one transaction that has been flushed when it returns. */
function lmdbCase(root: RootDatabase<Buffer, string>, table: Database<Buffer, number>, rows: number): Case {
  const buffer = Buffer.alloc(JOURNAL_ROW_BYTES_MAX);
  const values = times(rows, (i) => Buffer.from(buffer.subarray(0, encodeRow(buffer, 0, verdictRow(i, 0)))));
  let next = 1 + rows * 2 ** 32;
  return {
    name: `LMDB, ${rows} ${rows === 1 ? 'row' : 'rows'}`,
    operations: 1,
    run: () => {
      root.transactionSync(() => {
        for (const value of values) table.putSync(next++, value, { append: true } as never);
      });
      return undefined;
    },
  };
}

export const JOURNAL_APPEND: Suite = {
  name: 'journal-append',
  about: 'One batch of verdict rows of 84 bytes, written and synced when the call returns.',
  syncs: true,
  prepare: ({ dir }) => {
    const journalDir = join(dir, 'journal');
    mkdirSync(journalDir, { recursive: true });
    const journal = new BenchJournal(journalDir);
    const root = open<Buffer, string>({
      path: join(dir, 'lmdb'),
      overlappingSync: false,
      encoding: 'binary',
      maxDbs: 2,
    });
    const table = root.openDB<Buffer, number>({ name: 'rows', encoding: 'binary' });
    const cases = ROWS_OF_A_BATCH.flatMap((rows) => [
      journalCase(journal, rows),
      lmdbCase(root, table, rows),
    ]);
    return {
      cases,
      close: async () => {
        journal.writer.close();
        await root.close();
      },
    };
  },
};
