// Appends frames to the journal, from any thread: one positioned write and one fdatasync per batch, under the lock of
// the shared head. When `append` returns, the rows are on the disk.
//
// Fail-stop: after a failed write or sync nobody knows what the disk holds (the kernel may call the next sync clean),
// so the first failure marks the head, and every append in every thread throws from then on. Nothing is retried.

import fs from 'node:fs';
import { assert } from '../core/assert.js';
import { SEGMENT_HEADER_BYTES } from '../core/journal-format.js';
import { JOURNAL_LOCK_TIMEOUT_MS } from '../core/limits.js';
import type { FrameBuilder } from './journal-frame.js';
import type { JournalFailure, JournalHead } from './journal-head.js';
import { createSegment, openSegment } from './journal-segments.js';

/** The calls that an append makes on an open segment; a test puts failing ones in their place. */
export interface JournalDisk {
  write(fd: number, buffer: Buffer, offset: number, length: number, position: number): number;
  sync(fd: number): void;
}

const NODE_DISK: JournalDisk = {
  write: (fd, buffer, offset, length, position) => fs.writeSync(fd, buffer, offset, length, position),
  sync: (fd) => fs.fdatasyncSync(fd),
};

/** The journal has failed, in this append or in an earlier one of any thread: nothing can be admitted any more. */
export class JournalFailed extends Error {
  override readonly name = 'JournalFailed';
  readonly code = 'journal-failed';
  readonly failure: JournalFailure;

  constructor(failure: JournalFailure, cause: unknown) {
    const detail = cause instanceof Error ? cause.message : 'it failed before';
    super(`journal ${failure} failed: ${detail}`, { cause });
    this.failure = failure;
  }
}

export interface JournalWriterOptions {
  /** Size of segments that this writer may have to make. */
  readonly segmentBytes: number;
  /** Fencing epoch of this node, stored in every frame. */
  readonly epoch: number;
  readonly disk?: JournalDisk;
}

export class JournalWriter {
  readonly #dir: string;
  readonly #head: JournalHead;
  readonly #epoch: number;
  readonly #newSegmentBytes: number;
  readonly #disk: JournalDisk;
  #fd = -1;
  #segment = -1;
  #segmentBytes = 0;
  #step: JournalFailure = 'lock';

  /** The head must have been started with where the recovered journal ends. */
  constructor(dir: string, head: JournalHead, options: JournalWriterOptions) {
    this.#dir = dir;
    this.#head = head;
    this.#epoch = options.epoch;
    this.#newSegmentBytes = options.segmentBytes;
    this.#disk = options.disk ?? NODE_DISK;
  }

  /**
   * Appends the rows of `frame`, synced, and answers the sequence of the first one; the others follow densely.
   * Throws JournalFailed when the journal has failed, now or before: then nothing is known about these rows.
   */
  append(frame: FrameBuilder, at: number): number {
    assert(frame.count > 0, 'an append needs rows');
    assert(frame.bytes <= this.#newSegmentBytes - SEGMENT_HEADER_BYTES, 'a frame must fit a segment');
    const head = this.#head;
    this.assertWorks();
    if (!head.lock(JOURNAL_LOCK_TIMEOUT_MS)) {
      head.fail('lock');
      throw new JournalFailed('lock', new Error(`not released in ${JOURNAL_LOCK_TIMEOUT_MS} ms`));
    }
    try {
      this.assertWorks();
      return this.#appendLocked(frame, at);
    } catch (error) {
      if (error instanceof JournalFailed) throw error;
      head.fail(this.#step);
      throw new JournalFailed(this.#step, error);
    } finally {
      head.unlock();
    }
  }

  /** Throws JournalFailed when the journal has failed, in any thread. */
  assertWorks(): void {
    const failure = this.#head.failure;
    if (failure !== null) throw new JournalFailed(failure, null);
  }

  /** Closes this thread's file; the journal itself has nothing to close. */
  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#segment = -1;
  }

  #appendLocked(frame: FrameBuilder, at: number): number {
    const head = this.#head;
    const bytes = frame.bytes;
    let offset = head.offset;
    this.#step = 'segment';
    this.#use(head.segment);
    if (offset + bytes > this.#segmentBytes) {
      this.#roll(head.segment + 1);
      offset = SEGMENT_HEADER_BYTES;
      assert(offset + bytes <= this.#segmentBytes, 'a frame must fit a segment');
    }
    this.#step = 'write';
    const firstSequence = head.nextSequence;
    const checksum = frame.seal(head.previousChecksum, firstSequence, this.#epoch, head.durableSequence, at);
    this.#write(frame.buffer, bytes, offset);
    this.#step = 'sync';
    const before = performance.now();
    this.#disk.sync(this.#fd);
    head.advance(this.#segment, offset, bytes, frame.count, checksum, performance.now() - before);
    return firstSequence;
  }

  #write(buffer: Buffer, bytes: number, position: number): void {
    let done = 0;
    while (done < bytes) {
      const written = this.#disk.write(this.#fd, buffer, done, bytes - done, position + done);
      if (written <= 0) throw new Error('the disk takes no more bytes');
      done += written;
    }
  }

  // What is in the full segment has been synced by the appends that wrote it.
  #roll(index: number): void {
    if (index > this.#head.segmentReady) {
      const header = { index, segmentBytes: this.#newSegmentBytes, journalId: this.#head.journalId };
      if (createSegment(this.#dir, header)) this.#head.countSegmentInline();
      this.#head.raiseSegmentReady(index);
    }
    this.#use(index);
  }

  #use(index: number): void {
    if (index === this.#segment) return;
    this.close();
    const opened = openSegment(this.#dir, index, 'r+', this.#head.journalId);
    if (!opened.ok) throw new Error(`segment ${index}: ${opened.error}`);
    if (opened.value === null) throw new Error(`segment ${index} is missing`);
    this.#fd = opened.value.fd;
    this.#segment = index;
    this.#segmentBytes = opened.value.header.segmentBytes;
  }
}
