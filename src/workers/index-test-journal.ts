// For tests only: a real journal in a directory, with its shared head, that takes rows as a shard would write them.

import fs from 'node:fs';
import path from 'node:path';
import { Counters, counterBytes } from '../core/counters.js';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../core/journal-format.js';
import type { Row } from '../core/rows.js';
import { IndexModel, testRound } from './index-test-model.js';
import type { IndexerOptions } from './indexer-protocol.js';
import { FrameBuilder } from './journal-frame.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from './journal-head.js';
import { recoverJournal } from './journal-recovery.js';
import { segmentPath } from './journal-segments.js';
import { JournalWriter } from './journal-writer.js';

const ROWS_PER_FRAME = 100;

export class TestJournal {
  readonly dir: string;
  readonly segmentBytes: number;
  readonly shared = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
  readonly head = new JournalHead(this.shared);
  readonly #writer: JournalWriter;
  readonly #frame = new FrameBuilder();
  #lastFrame = { segment: 0, offset: SEGMENT_HEADER_BYTES };

  constructor(dir: string, segmentBytes = 32_768) {
    this.dir = dir;
    this.segmentBytes = segmentBytes;
    const recovered = recoverJournal(dir, {
      from: null,
      floorSequence: 0,
      segmentBytes,
      onFrame: () => undefined,
    });
    if (!recovered.ok) throw new Error(recovered.error.reason);
    this.head.start(recovered.value.journalId, recovered.value.end, recovered.value.lastSegment);
    this.#writer = new JournalWriter(dir, this.head, { segmentBytes, epoch: 1 });
  }

  /** Appends the rows in frames of a batch's size; all are synced when it returns. */
  append(rows: readonly Row[]): void {
    for (let i = 0; i < rows.length; i += ROWS_PER_FRAME) {
      this.#frame.reset();
      for (const row of rows.slice(i, i + ROWS_PER_FRAME)) this.#frame.add(row);
      const bytes = this.#frame.bytes;
      this.#writer.append(this.#frame, 0);
      this.#lastFrame = { segment: this.head.segment, offset: this.head.offset - bytes };
    }
  }

  /** What a disk does that forgets a write it had synced. */
  loseLastFrame(): void {
    const { segment, offset } = this.#lastFrame;
    const fd = fs.openSync(segmentPath(this.dir, segment), 'r+');
    fs.writeSync(fd, Buffer.alloc(FRAME_HEADER_BYTES), 0, FRAME_HEADER_BYTES, offset);
    fs.closeSync(fd);
  }

  close(): void {
    this.#writer.close();
  }
}

/** What an indexer works with, in a directory: a journal, shared memory, and a model of what was written. */
export class TestNode {
  readonly journal: TestJournal;
  readonly model = new IndexModel();
  readonly counters: Counters;
  readonly options: IndexerOptions;

  constructor(dir: string) {
    this.journal = new TestJournal(path.join(dir, 'journal'), 1_048_576);
    const counters = new SharedArrayBuffer(counterBytes(1));
    this.counters = new Counters(counters);
    this.options = {
      journalDir: this.journal.dir,
      indexDir: path.join(dir, 'index'),
      segmentBytes: this.journal.segmentBytes,
      counters,
      journalHead: this.journal.shared,
    };
  }

  /** Journals `count` more verdicts of many investors, and the outcome of some earlier ones. */
  more(count: number): void {
    const { model } = this;
    const known = model.rows.length;
    if (known === 0) model.round(testRound(1));
    for (let i = 0; i < count; i++) model.invest(1, `investor-${(model.nextSequence * 7919) % 1009}`, 100);
    for (const { sequence } of model.open().slice(0, count / 4)) {
      model.outcome(sequence, sequence % 2 === 0 ? null : 'not-eligible', sequence, 1);
    }
    this.journal.append(model.rows.slice(known));
  }
}
