// The books of the ledger as one process follows them in Cassandra's log: it applies what is there, offers its own
// changes for the next position, and always knows whether one of its own is still unknown.

import { randomUUID } from 'node:crypto';
import { must } from '../core/assert.js';
import { decodeChange, encodeChange, type LogChange } from './cassandra-change.js';
import { type LedgerLog, LogAssembler, type LogRecord, recordsOf } from './cassandra-log.js';
import type { BooksState } from './cassandra-state.js';

/** A change that is being offered to the log. */
interface Pending {
  readonly change: LogChange;
  readonly records: readonly LogRecord[];
  /** Records that are known to be in the log. */
  appended: number;
}

export class Books {
  readonly #log: LedgerLog;
  readonly #state: BooksState;
  /** Unique to this process: what it has written is told by it. */
  readonly #writer = randomUUID();
  /** The position after the last record that is known. */
  #next: number;
  #pending: Pending | null = null;
  /** Another process has written to the log, and not all of it has been applied here. */
  #isBehind = true;

  /** @param state as the tables have it */
  constructor(log: LedgerLog, state: BooksState) {
    this.#log = log;
    this.#state = state;
    this.#next = state.position + 1;
  }

  /** Makes the state that of the whole log, as far as it is known to this process. After a throw: call again. */
  async ready(): Promise<void> {
    if (this.#pending !== null) await this.resume();
    if (this.#isBehind) await this.#catchUp();
  }

  /** Offers a change that was decided on the state as it is. Nothing is sent before `resume`. */
  offer(change: LogChange): void {
    this.#pending = {
      change,
      records: recordsOf(encodeChange(change), this.#next, this.#writer),
      appended: 0,
    };
  }

  /**
   * Goes on with the change that was offered. True: it has happened. False: another process was first, so nothing has
   * happened; decide again when `ready`. After a throw it is unknown: `resume` until it is not.
   */
  async resume(): Promise<boolean> {
    const pending = must(this.#pending, 'a pending change');
    while (pending.appended < pending.records.length) {
      const record = must(pending.records[pending.appended], 'a record');
      if (!(await this.#log.append(record))) {
        this.#pending = null;
        this.#isBehind = true;
        return false;
      }
      pending.appended++;
      this.#next = record.position + 1;
    }
    this.#pending = null;
    this.#state.apply(this.#next - 1, pending.change);
    return true;
  }

  async #catchUp(): Promise<void> {
    const assembler = new LogAssembler();
    let next = this.#state.position + 1;
    for (let records = await this.#log.read(next); records.length > 0; records = await this.#log.read(next)) {
      for (const record of records) {
        const body = assembler.take(record);
        next = record.position + 1;
        if (body !== null) this.#state.apply(record.position, decodeChange(body));
      }
    }
    this.#next = next;
    this.#isBehind = false;
  }
}
