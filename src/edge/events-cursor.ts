// How far the events of the journal have been published, in a small file of its own. It is derived: lost or damaged it
// only means that everything is published again, under the same ids.

import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import type { JournalPosition } from '../core/journal-format.js';

/** What the file holds. */
interface StoredCursor extends JournalPosition {
  readonly journalId: string;
}

export class EventsCursor {
  readonly #file: string;
  readonly #journalId: string;

  constructor(file: string, journalId: string) {
    this.#file = file;
    this.#journalId = journalId;
  }

  /** Null where there is none, or none of this journal. */
  async read(): Promise<JournalPosition | null> {
    try {
      const stored = JSON.parse(await readFile(this.#file, 'utf8')) as StoredCursor;
      const { journalId, segment, offset, nextSequence, previousChecksum } = stored;
      const numbers = [segment, offset, nextSequence, previousChecksum];
      if (journalId !== this.#journalId || !numbers.every(Number.isSafeInteger)) return null;
      return { segment, offset, nextSequence, previousChecksum };
    } catch {
      return null; // nothing there, or nothing that can be read
    }
  }

  /** Replaces the file as a whole; when it resolves the position is on the disk. Rejects when the disk does not take it. */
  async write({ segment, offset, nextSequence, previousChecksum }: JournalPosition): Promise<void> {
    const stored: StoredCursor = {
      journalId: this.#journalId,
      segment,
      offset,
      nextSequence,
      previousChecksum,
    };
    const fresh = `${this.#file}.new`;
    const file = await open(fresh, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(stored));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(fresh, this.#file);
    const directory = await open(path.dirname(this.#file), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
