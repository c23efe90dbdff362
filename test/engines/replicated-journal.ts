// For tests: a real journal whose rows a replicator has to follow, and what of it is in a row store.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { type AckLevel, EpochBook } from '../../src/core/epochs.js';
import { ownLineage } from '../../src/core/ids.js';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import type { Row, VerdictRow } from '../../src/core/rows.js';
import { monotonicMs, nowMs } from '../../src/edge/clocks.js';
import { ReplicationWords } from '../../src/edge/replication-words.js';
import { Replicator } from '../../src/edge/replicator.js';
import type { ReplicatorNews } from '../../src/edge/replicator-protocol.js';
import type { RowStore } from '../../src/engines/rows.js';
import { testRound } from '../../src/workers/index-test-model.js';
import {
  AT,
  outcomeRow,
  roundRow,
  temporaryDirectory,
  verdictRow,
} from '../../src/workers/journal-fixture.js';
import { FrameBuilder } from '../../src/workers/journal-frame.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from '../../src/workers/journal-head.js';
import { recoverJournal } from '../../src/workers/journal-recovery.js';
import { JournalWriter } from '../../src/workers/journal-writer.js';
import { value } from './rows-contract.js';
import { until } from './until.js';

const SEGMENT_BYTES = 1_048_576;
export interface RunningReplicator {
  readonly words: ReplicationWords;
  readonly news: readonly ReplicatorNews[];
  readonly replicator: Replicator;
  /** Resolves when `follow` has ended. */
  readonly ended: Promise<void>;
  /** Resolves when every row is replicated, the view included; fails after a while. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

/** A journal of two rounds with verdicts and outcomes, in frames of any size. */
export class ReplicatedJournal {
  readonly root = temporaryDirectory();
  readonly dir = path.join(this.root, 'edge', 'journal');
  readonly cursorFile = path.join(this.root, 'edge', 'replicated.json');
  readonly rows: Row[] = [];
  readonly rounds = [testRound(1, { id: 'crowd' }), testRound(2, { id: 'second' })];
  /** Accepted verdicts without an outcome, oldest first. */
  readonly open: VerdictRow[] = [];
  readonly shared = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
  readonly head = new JournalHead(this.shared);
  readonly #frame = new FrameBuilder();
  #writer: JournalWriter;
  #journaled = 0;
  epoch: number;
  #epochBegan = 1;

  constructor(epoch = 1) {
    this.epoch = epoch;
    const recovered = recoverJournal(this.dir, {
      from: null,
      floorSequence: 0,
      segmentBytes: SEGMENT_BYTES,
      onFrame: () => undefined,
    });
    assert.ok(recovered.ok);
    this.head.start(recovered.value.journalId, recovered.value.end, recovered.value.lastSegment);
    this.#writer = this.#open();
    for (const definition of this.rounds)
      this.rows.push({ ...roundRow('created', definition), sequence: this.rows.length + 1 });
    this.#append(2);
  }

  get journalId(): string {
    return this.head.journalId;
  }

  /** Journals `count` more verdicts, most accepted, and outcomes of a quarter of them. */
  more(count: number, rowsPerFrame = 1 + (count % 97)): void {
    const { rows, open } = this;
    for (let i = 0; i < count; i++) {
      const sequence = rows.length + 1;
      const verdict = sequence % 5 === 0 ? 'not-eligible' : 'accepted';
      const names = { investor: `investor-${sequence}`, key: `key-${sequence}` };
      const row = verdictRow(names.investor, {
        ...names,
        sequence,
        verdict,
        round: 1 + (sequence % 2),
        at: AT + sequence,
      });
      rows.push(row);
      if (verdict === 'accepted') open.push(row);
    }
    for (const { sequence: investment, investor, round } of open.splice(0, count / 4)) {
      const declined =
        investment % 2 === 0 ? ({ state: 'declined', reason: 'insufficient-funds' } as const) : {};
      rows.push(outcomeRow(investor, investment, { sequence: rows.length + 1, round, ...declined }));
    }
    this.#append(rowsPerFrame);
  }

  /** The process starts again, under the next epoch. */
  restart(): void {
    this.epoch += 1;
    this.#epochBegan = this.head.nextSequence;
    this.#writer.close();
    this.#writer = this.#open();
  }

  remove(): void {
    this.#writer.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Follows this journal as a node under the present epoch would. */
  replicate(store: RowStore, ack: AckLevel = 'journal'): RunningReplicator {
    const words = new ReplicationWords();
    const news: ReplicatorNews[] = [];
    const { head, rows, rounds, cursorFile, epoch } = this;
    const replicator = new Replicator(
      {
        journalDir: this.dir,
        journalId: this.journalId,
        lineage: ownLineage(this.journalId),
        cursorFile,
        epoch,
        firstSequence: this.#epochBegan,
        ack,
      },
      {
        store,
        words,
        durable: () => head.durableSequence,
        rounds,
        tell: (one) => news.push(one),
        nowMs,
        monotonicMs,
        random: Math.random,
      },
    );
    const ended = replicator.follow();
    const caughtUp = (): Promise<void> =>
      until('all rows replicated', () => words.get('investors') >= rows.length);
    const stop = async (): Promise<void> => {
      replicator.stop();
      await ended;
    };
    return { words, news, replicator, ended, caughtUp, stop };
  }

  #open(): JournalWriter {
    return new JournalWriter(this.dir, this.head, { segmentBytes: SEGMENT_BYTES, epoch: this.epoch });
  }

  #append(rowsPerFrame: number): void {
    const { rows } = this;
    while (this.#journaled < rows.length) {
      this.#frame.reset();
      const frame = rows.slice(this.#journaled, this.#journaled + rowsPerFrame);
      for (const row of frame) this.#frame.add(row);
      this.#writer.append(this.#frame, frame[0]!.at);
      this.#journaled += frame.length;
    }
  }
}

/** Compares without printing thousands of rows. */
export function assertSameRows(found: readonly Row[], expected: readonly Row[]): void {
  assert.deepEqual(
    found
      .map(({ sequence }) => sequence)
      .filter((sequence, at) => sequence !== expected[at]?.sequence)
      .slice(0, 5),
    [],
    'sequences that are not where they should be',
  );
  assert.equal(found.length, expected.length);
  for (const [at, row] of found.entries()) assert.deepEqual(row, expected[at]);
}

/** All rows of the store that count, in order. */
export async function rowsInForce(store: RowStore, { rows, rounds }: ReplicatedJournal): Promise<Row[]> {
  const book = new EpochBook(value(await store.epochs()));
  const buckets = Math.ceil((rows.length + 1) / ROW_BUCKET_SEQUENCES);
  const all = [...value(await store.controlRows())] as {
    sequence: number;
    epoch: number;
    row: { ok: boolean; value?: Row };
  }[];
  for (const { id, number } of rounds) {
    for (let bucket = 0; bucket < buckets; bucket++)
      all.push(...(value(await store.bucketRows({ id, number }, bucket)) as typeof all));
  }
  return all
    .filter(({ sequence, epoch }) => book.counts(sequence, epoch))
    .sort((a, b) => a.sequence - b.sequence)
    .map(({ row }) => row.value!);
}
