// A journal in a temporary directory, for tests: made, appended to, damaged and read back.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { JournalPosition } from '../core/journal-format.js';
import type { RoundDefinition } from '../core/round.js';
import { forEachRow } from '../core/row-codec.js';
import type { OutcomeRow, RoundRow, Row, VerdictRow } from '../core/rows.js';
import { FrameBuilder } from './journal-frame.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from './journal-head.js';
import type { JournalFrame } from './journal-reader.js';
import { type RecoveredJournal, recoverJournal } from './journal-recovery.js';
import { createSegment, segmentPath } from './journal-segments.js';
import { type JournalDisk, JournalWriter } from './journal-writer.js';

/** Small enough to roll over after a few frames. */
export const SEGMENT_BYTES = 8192;
export const AT = 1_763_900_000_000;

const DEFINITION: RoundDefinition = {
  number: 1,
  id: 'crowd',
  name: 'Crowd',
  currency: 'GBP',
  cap: 1_000_000,
  minimum: 100,
  maximum: 500_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'refuse',
  state: 'open',
};

export function roundRow(
  change: RoundRow['change'] = 'created',
  definition: Partial<RoundDefinition> = {},
): RoundRow {
  return { kind: 'round', sequence: 0, at: AT, change, definition: { ...DEFINITION, ...definition } };
}

export function verdictRow(investor: string, row: Partial<VerdictRow> = {}): VerdictRow {
  const rest = { sequence: 0, at: AT, round: 1, key: `key-${investor}`, amount: 500, extra: 0 };
  return { kind: 'verdict', investor, verdict: 'accepted', ...rest, ...row };
}

export function outcomeRow(investor: string, investment: number, row: Partial<OutcomeRow> = {}): OutcomeRow {
  const rest = {
    sequence: 0,
    at: AT,
    round: 1,
    amount: 500,
    balance: 1000,
    balanceVersion: 2,
    eligible: true,
  };
  return { kind: 'outcome', investor, investment, state: 'settled', reason: null, ...rest, ...row };
}

export interface TestJournal {
  readonly dir: string;
  readonly head: JournalHead;
  readonly shared: SharedArrayBuffer;
  readonly writer: JournalWriter;
  /** Appends the rows as one frame; the sequence of the first. */
  append(...rows: Row[]): number;
  remove(): void;
}

export function temporaryDirectory(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'openbell-journal-'));
}

/** Recovers (or creates) the journal in `dir` and opens it for appending. */
export function openJournal(
  dir: string,
  options: { segmentBytes?: number; disk?: JournalDisk } = {},
): TestJournal {
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
  const recovered = recoverJournal(dir, {
    from: null,
    floorSequence: 0,
    segmentBytes,
    onFrame: () => undefined,
  });
  if (!recovered.ok) throw new Error(recovered.error.reason);
  const { journalId, end, lastSegment } = recovered.value;
  const shared = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
  const head = new JournalHead(shared);
  head.start(journalId, end, lastSegment);
  const disk = options.disk === undefined ? {} : { disk: options.disk };
  const writer = new JournalWriter(dir, head, { segmentBytes, epoch: 1, ...disk });
  const frame = new FrameBuilder();
  return {
    dir,
    head,
    shared,
    writer,
    append(...rows) {
      frame.reset();
      for (const row of rows) frame.add(row);
      return writer.append(frame, AT);
    },
    remove() {
      writer.close();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A journal of some full segments, one in use and one ahead, with one and two rows a frame. */
export function filledJournal(frames: number): TestJournal {
  const journal = openJournal(temporaryDirectory());
  const { dir, head } = journal;
  journal.append(roundRow());
  for (let i = 0; i < frames; i++) {
    const rows = [verdictRow(`investor-${i}`), verdictRow(`investor-${i}-b`, { verdict: 'not-eligible' })];
    journal.append(...rows.slice(0, 1 + (i % 2)));
  }
  createSegment(dir, { index: head.segment + 1, segmentBytes: SEGMENT_BYTES, journalId: head.journalId });
  return journal;
}

export interface PlacedFrame {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
  readonly firstSequence: number;
}

export interface Recovery {
  readonly result: ReturnType<typeof recoverJournal>;
  readonly value: RecoveredJournal | null;
  readonly rows: Row[];
  readonly frames: PlacedFrame[];
}

/** Recovers and collects what was handed out. */
export function recover(dir: string, from: JournalPosition | null = null, floorSequence = 0): Recovery {
  const rows: Row[] = [];
  const frames: PlacedFrame[] = [];
  const onFrame = (frame: JournalFrame) => {
    const { firstSequence, count, payloadLength } = frame.header;
    const bytes = Math.ceil((48 + payloadLength) / 8) * 8;
    frames.push({ segment: frame.segment, offset: frame.offset, bytes, firstSequence });
    const read = forEachRow(frame.payload, firstSequence, count, (row) => rows.push(row));
    if (!read.ok) throw new Error(read.error);
  };
  const result = recoverJournal(dir, { from, floorSequence, segmentBytes: SEGMENT_BYTES, onFrame });
  return { result, value: result.ok ? result.value : null, rows, frames };
}

/** The contents of all segments, to be put back after a damage. */
export function snapshot(dir: string): () => void {
  const files = fs
    .readdirSync(dir)
    .map((name) => [path.join(dir, name), fs.readFileSync(path.join(dir, name))] as const);
  return () => {
    for (const name of fs.readdirSync(dir)) fs.rmSync(path.join(dir, name));
    for (const [name, bytes] of files) fs.writeFileSync(name, bytes);
  };
}

/** Changes bytes of a segment in place. */
export function patch(dir: string, segment: number, offset: number, bytes: Uint8Array): void {
  const fd = fs.openSync(segmentPath(dir, segment), 'r+');
  fs.writeSync(fd, bytes, 0, bytes.length, offset);
  fs.closeSync(fd);
}

/** Bytes of a segment. */
export function peek(dir: string, segment: number, offset: number, length: number): Buffer {
  return fs.readFileSync(segmentPath(dir, segment)).subarray(offset, offset + length);
}
