// The log of the ledger's books in Cassandra, record by record. A position is taken once, by lightweight transaction:
// `INSERT … IF NOT EXISTS` asks a majority in Paxos rounds, and one record wins, for ever.
//
// An attempt that ends without an answer is *unknown*: it may have won, or may yet win, even long after. It is resolved by
// the same attempt again: either it wins now, or the record that is there says by its writer whose it is. A writer
// offers one record for a position and no other until it knows what the position holds, so its name is enough.

import type { types } from 'cassandra-driver';
import { assert } from '../core/assert.js';
import {
  LEDGER_LOG_BUCKET_RECORDS,
  LEDGER_LOG_READ_RECORDS,
  LEDGER_RECORD_BYTES_MAX,
} from '../core/limits.js';
import { type Cql, exact } from './cassandra-cql.js';

/** A part of one change; a change of several parts counts only when all are there, one behind the other. */
export interface LogRecord {
  readonly position: number;
  /** Of the change's first record. */
  readonly first: number;
  /** Records of the change. */
  readonly parts: number;
  readonly writer: string;
  readonly body: Buffer;
}

const COLUMNS = 'position, writer, first, parts, body';
const APPEND = `INSERT INTO ledger_log (bucket, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS`;
const READ = `SELECT ${COLUMNS} FROM ledger_log WHERE bucket = ? AND position >= ? LIMIT ${LEDGER_LOG_READ_RECORDS}`;

const bucketOf = (position: number): number => Math.floor(position / LEDGER_LOG_BUCKET_RECORDS);

export class LedgerLog {
  readonly #cql: Cql;

  constructor(cql: Cql) {
    this.#cql = cql;
  }

  /** True: the position is this record's. False: it is another writer's. After a throw it is unknown: ask again. */
  async append(record: LogRecord): Promise<boolean> {
    const { position, writer, first, parts, body } = record;
    const params = [bucketOf(position), position, writer, first, parts, body];
    const there = await this.#cql.insertIfAbsent({ query: APPEND, params });
    if (there === null) return true;
    const found = recordOf(there);
    if (found.writer !== writer) return false;
    assert(found.body.equals(body), 'a writer offers one record for a position');
    return true;
  }

  /** Records from a position on, as many as one reading gives; none: the log ends before it. */
  async read(from: number): Promise<readonly LogRecord[]> {
    return (await this.#cql.serialRows(READ, [bucketOf(from), from])).map(recordOf);
  }
}

/** The records of a change at the end of the log. */
export function recordsOf(body: Buffer, first: number, writer: string): readonly LogRecord[] {
  const parts = Math.max(1, Math.ceil(body.length / LEDGER_RECORD_BYTES_MAX));
  return Array.from({ length: parts }, (_, part) => ({
    position: first + part,
    first,
    parts,
    writer,
    body: body.subarray(part * LEDGER_RECORD_BYTES_MAX, (part + 1) * LEDGER_RECORD_BYTES_MAX),
  }));
}

/** Puts changes together again from their records, which are given in order. */
export class LogAssembler {
  #parts: LogRecord[] = [];

  /** The body of the change that this record completes, or null. */
  take(record: LogRecord): Buffer | null {
    const [head] = this.#parts;
    // Whoever wrote the beginning died, or lost the next position: what is unfinished never counts.
    if (head !== undefined && (record.first !== head.first || record.writer !== head.writer))
      this.#parts = [];
    this.#parts.push(record);
    if (record.position !== record.first + this.#parts.length - 1) {
      this.#parts = [];
      return null;
    }
    if (this.#parts.length < record.parts) return null;
    const body = Buffer.concat(this.#parts.map((part) => part.body));
    this.#parts = [];
    return body;
  }
}

function recordOf(row: types.Row): LogRecord {
  return {
    position: exact(row['position']),
    first: exact(row['first']),
    parts: row['parts'],
    writer: String(row['writer']),
    body: row['body'],
  };
}
