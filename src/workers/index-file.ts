// A look at the index's file before LMDB maps it: a foreign one or one that ends too early would take the process down
// (this binding crashes on the first, and reading behind the end of a mapped file is a SIGBUS).
//
//   page 0 and 1   18 u16 flags (8: a meta page)   24 u32 magic   28 u32 version   48 u32 page size
//                  144 u64 last page               152 u64 transaction
//
// The layout is that of the LMDB in the pinned binding, data version 2. The newer meta page of the two counts.

import fs from 'node:fs';
import path from 'node:path';
import { getU16, getU32, getU53 } from '../core/little-endian.js';
import { readFully } from './journal-segments.js';

const DATA_FILE = 'data.mdb';
const META_BYTES = 160;
const META_FLAG = 8;
const MAGIC = 0xbeefc0de;
const VERSION = 2;

export interface IndexFileState {
  readonly path: string;
  readonly bytes: number;
  /** What the newest meta page speaks of; 0 for a file that LMDB has yet to begin. */
  readonly bytesNamed: number;
}

/** How long the file is and should be; null when it is not LMDB's. */
export function inspectIndexFile(indexDir: string): IndexFileState | null {
  const file = path.join(indexDir, DATA_FILE);
  if (!fs.existsSync(file)) return { path: file, bytes: 0, bytesNamed: 0 };
  const fd = fs.openSync(file, 'r');
  try {
    const { size } = fs.fstatSync(fd);
    if (size === 0) return { path: file, bytes: 0, bytesNamed: 0 };
    const first = readMeta(fd, 0);
    const second = first === null ? null : readMeta(fd, first.pageBytes);
    if (first === null || second === null) return null;
    const newest = second.transaction > first.transaction ? second : first;
    return { path: file, bytes: size, bytesNamed: (newest.lastPage + 1) * first.pageBytes };
  } finally {
    fs.closeSync(fd);
  }
}

function readMeta(fd: number, offset: number) {
  const meta = Buffer.alloc(META_BYTES);
  if (readFully(fd, meta, META_BYTES, offset) < META_BYTES) return null;
  if ((getU16(meta, 18) & META_FLAG) === 0 || getU32(meta, 24) !== MAGIC) return null;
  if ((getU32(meta, 28) & 0xffff) !== VERSION) return null;
  return { pageBytes: getU32(meta, 48), lastPage: getU53(meta, 144), transaction: getU53(meta, 152) };
}
