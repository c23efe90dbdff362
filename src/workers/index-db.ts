// The index: one LMDB environment behind the journal, for look-ups that a log cannot answer.
//
//   investors  investor                          → balance, eligibility, and their part in each round
//   rows       u48 block (big endian)            → verdicts and what became of them (index-rows.ts)
//   keys       rr investor ' ' key               → sequence; only beyond INLINE_KEYS attempts of a round
//              rr investor 0x01 sequence         → nothing; the same attempts in order
//   outbox     u48 entry                         → which verdicts are accepted and without an outcome (index-outbox.ts)
//   rounds     round number                      → definition and totals
//   meta       "mark"                            → which journal this is the index of, and how far it has come
//
// Who writes: the indexer thread alone (index-apply.ts, index-balances.ts), each transaction together with its mark.
// Shards and tools read. Truth is the journal, except for balances, which the bank's feed and imports bring; losing
// this directory loses nothing else. `overlappingSync` is off: a transaction returns when LMDB has flushed its pages
// and then its meta page, so after a crash of the process or the machine the newest meta page never points at pages
// that are not there, and a mark never stands without its rows.

import { type Database, open, type RootDatabase } from 'lmdb';
import { assert } from '../core/assert.js';
import type { Lineage } from '../core/ids.js';
import type { InvestorName } from '../core/investor.js';
import type { JournalPosition } from '../core/journal-format.js';
import { INDEX_MAP_BYTES } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { IndexDamage, isIndexDamage } from './index-damage.js';
import { inspectIndexFile } from './index-file.js';
import { countOpen, entryOf, openSequences } from './index-outbox.js';
import {
  INLINE_KEYS,
  type IndexedRow,
  type InvestorRecord,
  keyHash,
  type RoundEntry,
} from './index-records.js';
import { blockOf, rowIn } from './index-rows.js';
import { decodeInvestor, type IndexedInvestor } from './indexed-investor.js';

/** How far the index has come, and of which journal. */
export interface IndexMark {
  readonly format: number;
  readonly journalId: string;
  /** Of the newest lineage row; absent while there is none. */
  readonly lineage?: Lineage;
  readonly position: JournalPosition;
}

/** What shards, the publisher and audits ask the index. All of it is as of the last `refresh` or later. */
export interface IndexReader {
  /** One LMDB look-up; undefined for an investor that the index has never heard of. */
  getInvestor(investor: string): InvestorRecord | undefined;
  /** The same for a decision: reads the record into `into`, which is cleared when there is none. */
  readInvestor(investor: InvestorName, into: IndexedInvestor): void;
  /** The sequence of the verdict that stuck to this key, or 0. */
  getSequenceByKey(round: number, investor: string, key: string): number;
  /** The verdict at `sequence` if it is this investor's and of this round. */
  getRow(round: number, investor: string, sequence: number): IndexedRow | undefined;
  /** This investor's verdicts of a round, newest first, all below `beforeSequence`. */
  listRows(round: number, investor: string, limit: number, beforeSequence?: number): IndexedRow[];
  /** Accepted verdicts without an outcome, oldest first, above `sequence`. */
  outboxAfter(sequence: number, limit: number): IndexedRow[];
  /** Rounds by ascending number. */
  readRounds(): RoundEntry[];
  readMark(): IndexMark | undefined;
  /** Lets go of the read snapshot: what is read from now on holds everything committed before this call. */
  refresh(): void;
  close(): Promise<void>;
}

/** The layout of this file; another one means that the index is built again. */
export const INDEX_FORMAT = 2;
export const SEQUENCE_MAX = 2 ** 48 - 1;
export const MARK_KEY = 'mark';
const SEQUENCE_BYTES = 6;

const TEXT_KEYS = {
  writeKey(key: string | InvestorName, target: Buffer, start: number): number {
    if (typeof key !== 'string') return key.copyTo(target, start);
    for (let i = 0; i < key.length; i++) target[start + i] = key.charCodeAt(i);
    return start + key.length;
  },
  readKey: (source: Buffer, start: number, end: number): string => source.latin1Slice(start, end),
};
const SEQUENCE_KEYS = {
  writeKey: (key: number, target: Buffer, start: number): number =>
    target.writeUIntBE(key, start, SEQUENCE_BYTES),
  readKey: (source: Buffer, start: number): number => source.readUIntBE(start, SEQUENCE_BYTES),
};

const two = (round: number): string => (round < 16 ? `0${round.toString(16)}` : round.toString(16));
const ORDERED_DIGITS = 11;

/** Key of one spilled idempotency key. */
export function spilledKey(round: number, investor: string, key: string): string {
  return `${two(round)}${investor} ${key}`;
}

/** Key that keeps a spilled attempt in the order of its sequence. */
export function spilledOrder(round: number, investor: string, sequence: number): string {
  return `${two(round)}${investor}\x01${sequence.toString(36).padStart(ORDERED_DIGITS, '0')}`;
}

export class IndexDb implements IndexReader {
  readonly root: RootDatabase<Buffer, string>;
  readonly investors: Database<Buffer, string>;
  readonly rows: Database<Buffer, number>;
  readonly keys: Database<Buffer, string>;
  readonly outbox: Database<Buffer, number>;
  readonly rounds: Database<Buffer, string>;
  readonly meta: Database<Buffer, string>;
  /** The mark that was read last, as it was stored and as it was understood. */
  #lastMark: { readonly bytes: Buffer; readonly mark: IndexMark } | null = null;

  constructor(root: RootDatabase<Buffer, string>) {
    this.root = root;
    this.investors = openTable(root, 'investors', TEXT_KEYS);
    this.rows = openTable(root, 'rows', SEQUENCE_KEYS);
    this.keys = openTable(root, 'keys', TEXT_KEYS);
    this.outbox = openTable(root, 'outbox', SEQUENCE_KEYS);
    this.rounds = openTable(root, 'rounds', TEXT_KEYS);
    this.meta = openTable(root, 'meta', TEXT_KEYS);
  }

  getInvestor(investor: string): InvestorRecord | undefined {
    // The buffer is LMDB's own and good until the next get; it is decoded before anything else is asked.
    const bytes = this.investors.getBinaryFast(investor);
    return bytes === undefined ? undefined : decodeInvestor(bytes, bytes.length);
  }

  readInvestor(investor: InvestorName, into: IndexedInvestor): void {
    // The types know keys of one kind; the encoder takes both.
    const bytes = this.investors.getBinaryFast(investor as never);
    if (bytes === undefined) into.clear();
    else into.decode(bytes, bytes.length);
  }

  getSequenceByKey(round: number, investor: string, key: string): number {
    const part = this.getInvestor(investor)?.rounds.find((one) => one.round === round);
    if (part === undefined) return 0;
    const hash = keyHash(key);
    for (let i = 0; i < part.keys.length; i += 2) {
      const sequence = part.keys[i + 1]!;
      if (part.keys[i] === hash && this.#mustRow(sequence).key === key) return sequence;
    }
    if (part.attempts <= INLINE_KEYS) return 0;
    const spilled = this.keys.getBinaryFast(spilledKey(round, investor, key));
    return spilled === undefined ? 0 : spilled.readUIntBE(0, SEQUENCE_BYTES);
  }

  getRow(round: number, investor: string, sequence: number): IndexedRow | undefined {
    const row = this.rowAt(sequence);
    return row !== undefined && row.round === round && row.investor === investor ? row : undefined;
  }

  /** The verdict at `sequence`, whoever's it is; undefined when that is no verdict. */
  rowAt(sequence: number): IndexedRow | undefined {
    if (sequence < 1 || sequence > SEQUENCE_MAX) return undefined;
    const block = this.rows.getBinaryFast(blockOf(sequence));
    return block === undefined ? undefined : rowIn(block, block.length, sequence);
  }

  listRows(round: number, investor: string, limit: number, beforeSequence = SEQUENCE_MAX): IndexedRow[] {
    const part = this.getInvestor(investor)?.rounds.find((one) => one.round === round);
    if (part === undefined) return [];
    const sequences: number[] = [];
    if (part.attempts > INLINE_KEYS) {
      const start = spilledOrder(round, investor, beforeSequence - 1);
      const end = `${two(round)}${investor}\x01`;
      for (const key of this.keys.getKeys({ start, end, reverse: true, limit })) {
        sequences.push(Number.parseInt(key.slice(end.length), 36));
      }
    }
    // What is in the record came before all that was spilled.
    for (let i = part.keys.length - 1; i > 0 && sequences.length < limit; i -= 2) {
      if (part.keys[i]! < beforeSequence) sequences.push(part.keys[i]!);
    }
    return sequences.map((sequence) => this.#mustRow(sequence));
  }

  outboxAfter(sequence: number, limit: number): IndexedRow[] {
    const sequences: number[] = [];
    for (const { key, value } of this.outbox.getRange({ start: entryOf(sequence + 1), end: SEQUENCE_MAX })) {
      for (const open of openSequences(value, key, sequence)) {
        if (sequences.length === limit) break;
        sequences.push(open);
      }
      if (sequences.length === limit) break;
    }
    return sequences.map((one) => this.#mustRow(one));
  }

  /** Accepted verdicts without an outcome. */
  outboxCount(): number {
    let count = 0;
    for (const { value } of this.outbox.getRange({ start: 0, end: SEQUENCE_MAX })) count += countOpen(value);
    return count;
  }

  readRounds(): RoundEntry[] {
    const entries: RoundEntry[] = [];
    for (const { value } of this.rounds.getRange({ start: '\0', end: '\xff' }))
      entries.push(parseJson(value));
    return entries.sort((a, b) => a.definition.number - b.definition.number);
  }

  readMark(): IndexMark | undefined {
    // The buffer is LMDB's own, and longer than what was read.
    const bytes = this.meta.getBinaryFast(MARK_KEY);
    if (bytes === undefined) return undefined;
    const last = this.#lastMark;
    // A shard asks with every batch, and the mark moves when the index does: seldom, in a rush.
    if (last !== null && last.bytes.compare(bytes, 0, bytes.length) === 0) return last.mark;
    const own = Buffer.from(bytes.subarray(0, bytes.length));
    const mark = parseJson<IndexMark>(own);
    this.#lastMark = { bytes: own, mark };
    return mark;
  }

  refresh(): void {
    this.root.resetReadTxn();
  }

  close(): Promise<void> {
    return this.root.close();
  }

  #mustRow(sequence: number): IndexedRow {
    const row = this.rowAt(sequence);
    if (row === undefined) throw new IndexDamage(`row ${sequence} is missing`);
    return row;
  }
}

/**
 * Opens the index in `dir`, making an empty one unless it is opened to be read only. In one process the writer must
 * open it first: LMDB shares an environment between threads with the flags of the first. An error is a file that LMDB
 * cannot use; what the machine lacks (rights, memory, space) throws.
 */
export function openIndex(dir: string, options: { readonly readOnly: boolean }): Result<IndexDb, string> {
  const file = inspectIndexFile(dir);
  if (file === null) return err('its file is not of LMDB');
  // Not for a reader: beside a writer the file may lack free pages at its end (index-recovery.ts), and it was checked.
  if (!options.readOnly && file.bytes < file.bytesNamed) {
    return err(`its file is ${file.bytesNamed - file.bytes} bytes too short`);
  }
  let root: RootDatabase<Buffer, string> | undefined;
  try {
    root = open<Buffer, string>({
      path: dir,
      readOnly: options.readOnly,
      overlappingSync: false,
      mapSize: INDEX_MAP_BYTES,
      maxDbs: 8,
      encoding: 'binary',
    });
    return ok(new IndexDb(root));
  } catch (error) {
    if (root !== undefined) closeQuietly(root);
    if (!isIndexDamage(error)) throw error;
    return err(error.message);
  }
}

function closeQuietly(root: RootDatabase): void {
  root.close().catch(() => undefined);
}

function openTable<K extends string | number>(
  root: RootDatabase<Buffer, string>,
  name: string,
  keyEncoder: object,
): Database<Buffer, K> {
  const options = { name, encoding: 'binary' as const, keyEncoder };
  const table = root.openDB<Buffer, K>(options) as Database<Buffer, K> | undefined;
  if (table === undefined) throw new IndexDamage(`table ${name} is missing`);
  return table;
}

function parseJson<T>(bytes: Buffer): T {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as T;
  } catch {
    throw new IndexDamage('a round or the mark is not readable');
  }
}

assert(INDEX_MAP_BYTES % 4096 === 0, 'the map is made of whole pages');
