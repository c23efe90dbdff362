// Follows the journal and makes events of its rows, a batch at a time.

import { InvestmentIds } from '../core/ids.js';
import { eventOfRow } from '../core/investment-event.js';
import { describeDamage, type JournalPosition, journalStart } from '../core/journal-format.js';
import { EVENTS_BATCH_BYTES } from '../core/limits.js';
import { err, ok } from '../core/result.js';
import { forEachRow } from '../core/row-codec.js';
import type { EventsAnswer, EventsOptions, EventsTask } from './events-protocol.js';
import { JournalReader } from './journal-reader.js';
import { endsBehindFrame } from './journal-tail.js';

export class EventsReader {
  readonly #options: EventsOptions;
  readonly #ids: InvestmentIds;
  #reader: JournalReader | null = null;

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#ids = new InvestmentIds(options.lineage);
  }

  /** The next events from there; empty when all that is durable has been read. */
  read({ from, durableSequence, rounds }: EventsTask): EventsAnswer {
    const reader = this.#readerAt(from);
    if (reader === null) return err({ code: 'not-here' });
    const labels = new Map(rounds.map((round) => [round.number, round]));
    const texts: string[] = [];
    const ends: number[] = [];
    let bytes = 0;
    while (bytes < EVENTS_BATCH_BYTES) {
      const next = reader.next(durableSequence);
      if (!next.ok) return this.#damaged(describeDamage(next.error));
      if (next.value === null) break;
      const { header, payload } = next.value;
      const visited = forEachRow(payload, header.firstSequence, header.count, (row) => {
        const text = eventOfRow(this.#ids, row, (number) => labels.get(number));
        if (text === null) return;
        texts.push(text);
        bytes += text.length;
        ends.push(bytes);
      });
      if (!visited.ok) return this.#damaged(visited.error);
    }
    // All of an event is ASCII, so that its length in characters is its length in bytes.
    return ok({ slab: Buffer.from(texts.join(''), 'latin1'), ends, position: reader.position() });
  }

  /** The reader that is there if it stands at that place, else a new one; null when no frame ends there. */
  #readerAt(from: JournalPosition | null): JournalReader | null {
    const { journalDir, journalId } = this.#options;
    const place = from ?? journalStart(journalId);
    if (this.#reader !== null && isSame(this.#reader.position(), place)) return this.#reader;
    this.#reader?.close();
    this.#reader = null;
    if (from !== null && !isSame(place, journalStart(journalId)) && !isThere(journalDir, place)) return null;
    this.#reader = new JournalReader(journalDir, journalId, place);
    return this.#reader;
  }

  #damaged(message: string): EventsAnswer {
    this.#reader?.close();
    this.#reader = null;
    return err({ code: 'damaged', message });
  }
}

const isSame = (one: JournalPosition, other: JournalPosition): boolean =>
  one.segment === other.segment && one.offset === other.offset && one.nextSequence === other.nextSequence;

function isThere(dir: string, position: JournalPosition): boolean {
  try {
    return endsBehindFrame(dir, position);
  } catch {
    return false; // the segment is not there, or shorter
  }
}
