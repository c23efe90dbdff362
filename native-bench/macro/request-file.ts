// A file of ready HTTP requests of one length, each from another investor with another token and another key, so that
// the load generator spends its time sending: it reads a record and writes it to a socket.

import { closeSync, openSync, writeSync } from 'node:fs';
import { signToken } from '../../src/core/token-signing.js';

export interface RequestFileOptions {
  readonly file: string;
  readonly records: number;
  /** The HS256 secret of the node under test. */
  readonly secret: string;
  readonly round: string;
  readonly amount: number;
  /** Starts every investor and key, so that two files have none in common. At most 8 of A-Z a-z 0-9. */
  readonly label: string;
  /** Which record stands at a position of the file; by itself the one of that number. */
  readonly order?: (position: number) => number;
}

const EXPIRES_AT_S = 4_102_444_800; // the year 2100
/** A subject as long as this makes a token of 200 bytes. */
const SUBJECT_CHARS = 28;
const CHUNK_BYTES = 4_194_304;

/** Whose record `index` is. */
export function recordInvestor(label: string, index: number): string {
  return `${label}-${index}`.padEnd(SUBJECT_CHARS, '-x');
}

/** The idempotency key of record `index`. */
export function requestKey(label: string, index: number): string {
  return `${label}-${index}`.padEnd(24, '_');
}

/** The token of record `index`. */
export function recordToken(options: RequestFileOptions, index: number): string {
  return signToken(options.secret, {
    subject: recordInvestor(options.label, index),
    expiresAtS: EXPIRES_AT_S,
    scope: 'invest',
    audience: 'openbell',
  });
}

/** Record `index`: a whole request. */
export function record(options: RequestFileOptions, index: number): string {
  const body = `{"amount":${options.amount},"currency":"GBP"}`;
  return [
    `POST /v1/rounds/${options.round}/investments HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${recordToken(options, index)}`,
    `Idempotency-Key: ${requestKey(options.label, index)}`,
    'Content-Type: application/json',
    'Accept: application/json',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

/** Writes the file; returns the length of a record. */
export function writeRequestFile(options: RequestFileOptions): number {
  const { order = (position: number) => position } = options;
  const recordBytes = record(options, 0).length;
  const perChunk = Math.floor(CHUNK_BYTES / recordBytes);
  const chunk = Buffer.allocUnsafe(perChunk * recordBytes);
  const file = openSync(options.file, 'w');
  try {
    for (let first = 0; first < options.records; first += perChunk) {
      const count = Math.min(perChunk, options.records - first);
      for (let i = 0; i < count; i++)
        chunk.latin1Write(record(options, order(first + i)), i * recordBytes, recordBytes);
      writeSync(file, chunk, 0, count * recordBytes);
    }
  } finally {
    closeSync(file);
  }
  return recordBytes;
}
