// Which investments the ledger dies over, known across its deaths, so that one of them cannot stop all the others for ever.
//
// Before a group is settled its ids are noted in a file, and taken out of it afterwards; what the file still holds at a
// start was in work at the death. The file is not synced: it has to outlive the process, not the machine.
//
//   several in work   each becomes a suspect: from now on it is settled alone
//   one in work       one death more is put down to it; LEDGER_DEATHS_MAX of them, and it is in quarantine
//   settled           all is forgiven
//
// So nothing is held against an investment that was merely in hand when the ledger was killed, however often it has
// come, nor against one that waits for a slow store: what has been in work for long while this process lives on is taken
// out of the file. A store that fails in order does not count either. If too many seem to be the cause, none of them is.
//
// In quarantine is not lost: the journal has it without an outcome, the audit names it, and `release` lets it in again.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import {
  LEDGER_DEATHS_MAX,
  LEDGER_GROUP_MAX,
  LEDGER_QUARANTINE_MAX,
  LEDGER_TOUCH_MS,
} from '../core/limits.js';

export interface Quarantined {
  readonly id: string;
  /** Deaths of the ledger while it was settled alone. */
  readonly deaths: number;
  /** RFC 3339. */
  readonly since: string;
  /** A dead letter says so. */
  readonly isTold: boolean;
}

interface Stored {
  readonly suspects: readonly (readonly [id: string, deaths: number])[];
  readonly quarantined: readonly Quarantined[];
}

export interface QuarantineOptions {
  /** Of the ledger. */
  readonly directory: string;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

const NOTHING = Buffer.from('0\n');

export class Quarantine {
  readonly #options: QuarantineOptions;
  /** Deaths put down to each. */
  readonly #suspects: Map<string, number>;
  readonly #quarantined: Map<string, Quarantined>;
  readonly #forgiving: NodeJS.Timeout;
  #noteFile: number | null = null;
  /** Looks at what is in work since it was noted; null: nothing is. */
  #looks: number | null = null;
  /** The process ends because of what is in work. */
  #isDefect = false;
  #complained = false;

  /** Reads what an earlier process has left, and counts its death. Never fails: without its files it only protects nobody. */
  constructor(options: QuarantineOptions) {
    this.#options = options;
    const { suspects, quarantined } = readStored(this.#path);
    this.#suspects = new Map(suspects);
    this.#quarantined = new Map(quarantined.map((one) => [one.id, one]));
    this.#try(() => {
      const inWork = readNote(this.#notePath);
      if (inWork.length > 0) this.#count(inWork);
      this.#noteFile = openSync(this.#notePath, 'w', 0o600);
      writeSync(this.#noteFile, NOTHING, 0, NOTHING.length, 0);
    });
    this.#forgiving = setInterval(() => this.#forgiveWhatIsSlow(), LEDGER_TOUCH_MS);
    this.#forgiving.unref();
  }

  get size(): number {
    return this.#quarantined.size;
  }

  list(): readonly Quarantined[] {
    return [...this.#quarantined.values()];
  }

  find(id: string): Quarantined | undefined {
    return this.#quarantined.get(id);
  }

  /** True for one that has to be settled alone. */
  isSuspect(id: string): boolean {
    return this.#suspects.has(id);
  }

  /** These are about to be settled. */
  begin(ids: readonly string[]): void {
    this.#looks = 0;
    this.#note(Buffer.from(`${ids.length}\n${ids.join('\n')}\n`));
  }

  /** What was begun has ended, and the process lives. */
  end(): void {
    if (this.#looks === null || this.#isDefect) return;
    this.#looks = null;
    this.#note(NOTHING);
  }

  /** What was begun is more than this program can do: the process ends, and the next one knows of what. */
  defect(): void {
    this.#isDefect = true;
  }

  /** They have their outcomes. */
  settled(ids: readonly string[]): void {
    if (this.#suspects.size === 0) return;
    const known = ids.filter((id) => this.#suspects.delete(id));
    if (known.length > 0) this.#store(false);
  }

  /** A dead letter says that it is here. */
  told(id: string): void {
    const found = this.#quarantined.get(id);
    if (found === undefined) return;
    this.#quarantined.set(id, { ...found, isTold: true });
    this.#store(false);
  }

  /** Lets one in again, or all: each is tried alone, and one more death puts it back. Answers which they were. */
  release(id: string | null): readonly string[] {
    const released = [...this.#quarantined.keys()].filter((each) => id === null || each === id);
    for (const each of released) {
      this.#quarantined.delete(each);
      this.#suspects.set(each, LEDGER_DEATHS_MAX - 1);
    }
    if (released.length > 0) this.#store(true);
    return released;
  }

  /** In order: what is still in work is not the cause. */
  close(): void {
    this.end();
    clearInterval(this.#forgiving);
    if (this.#noteFile !== null) closeSync(this.#noteFile);
    this.#noteFile = null;
  }

  get #path(): string {
    return join(this.#options.directory, 'quarantine.json');
  }

  get #notePath(): string {
    return join(this.#options.directory, 'in-work');
  }

  /** A process has died with these in work. */
  #count(inWork: readonly string[]): void {
    const { logger } = this.#options;
    const [alone] = inWork;
    if (inWork.length > 1 || alone === undefined) {
      logger.warn({ count: inWork.length }, 'ledger: it died with these in work; each is settled alone');
      this.#suspect(inWork);
    } else {
      const deaths = (this.#suspects.get(alone) ?? 0) + 1;
      this.#suspects.set(alone, deaths);
      logger.error({ id: alone, deaths }, 'ledger: it died while it settled this investment alone');
      if (deaths >= LEDGER_DEATHS_MAX) this.#lockAway(alone, deaths);
    }
    this.#store(true);
  }

  /** Those of the newest death, and the last ones to which a death was put down: a bounded number. */
  #suspect(inWork: readonly string[]): void {
    const charged = [...this.#suspects].filter(([, deaths]) => deaths > 0).slice(-LEDGER_GROUP_MAX);
    this.#suspects.clear();
    for (const [id, deaths] of charged) this.#suspects.set(id, deaths);
    for (const id of inWork) this.#suspects.set(id, this.#suspects.get(id) ?? 0);
  }

  #lockAway(id: string, deaths: number): void {
    const { logger, nowMs } = this.#options;
    if (this.#quarantined.size >= LEDGER_QUARANTINE_MAX) {
      logger.error(
        { id, quarantined: this.#quarantined.size },
        'ledger: too many to be the cause of its deaths',
      );
      return;
    }
    this.#suspects.delete(id);
    this.#quarantined.set(id, { id, deaths, since: new Date(nowMs()).toISOString(), isTold: false });
    logger.error({ id, deaths }, 'ledger: this investment is put in quarantine');
  }

  /** A crash comes at once or keeps the event loop; what waits for a store that is away leaves time for this. */
  #forgiveWhatIsSlow(): void {
    if (this.#looks === null) return;
    this.#looks++;
    if (this.#looks > 1) this.end();
  }

  #note(bytes: Buffer): void {
    const file = this.#noteFile;
    if (file !== null) this.#try(() => writeSync(file, bytes, 0, bytes.length, 0));
  }

  /** @param isLasting also after a power cut */
  #store(isLasting: boolean): void {
    const stored: Stored = { suspects: [...this.#suspects], quarantined: this.list() };
    this.#try(() => {
      const temporary = `${this.#path}.new`;
      const file = openSync(temporary, 'w', 0o600);
      try {
        writeSync(file, JSON.stringify(stored));
        if (isLasting) fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, this.#path);
    });
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!this.#complained)
        this.#options.logger.error(
          { err: error },
          'ledger: its quarantine cannot be written, so it protects nobody',
        );
      this.#complained = true;
    }
  }
}

/** The ids in work at the end of an earlier process; none when there is no note, or it is none. */
function readNote(path: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  const [count = '', ...ids] = text.split('\n');
  if (!/^[1-9]\d{0,3}$/.test(count)) return [];
  const noted = ids.slice(0, Number.parseInt(count, 10));
  return noted.every((id) => /^[\x21-\x7e]+$/.test(id)) ? noted : [];
}

function readStored(path: string): Stored {
  const nothing: Stored = { suspects: [], quarantined: [] };
  try {
    return { ...nothing, ...(JSON.parse(readFileSync(path, 'utf8')) as Partial<Stored>) };
  } catch {
    return nothing;
  }
}
