// When the index cannot be what was written: how that is known, and how the next start learns of it.

import fs from 'node:fs';
import path from 'node:path';

/** A record, or a row against the index, that cannot be: the index has to be built again from the journal. */
export class IndexDamage extends Error {
  override readonly name = 'IndexDamage';
}

const NOTE_FILE = 'damaged.txt';
/** LMDB's words for pages or files that are not, or no longer, what it wrote (lmdb.h). */
const DAMAGE_CODES: ReadonlySet<unknown> = new Set([-30797, -30796, -30794, -30793, -30784]);

/** True for damage that we have found or that LMDB has; false for a disk that is full or fails. */
export function isIndexDamage(error: unknown): error is Error {
  return error instanceof IndexDamage || DAMAGE_CODES.has((error as { code?: unknown } | null)?.code);
}

/** Leaves word for the next start that this index must not be used again; false when the disk does not take it. */
export function noteDamage(indexDir: string, reason: string): boolean {
  try {
    fs.writeFileSync(path.join(indexDir, NOTE_FILE), reason, { flush: true });
    return true;
  } catch {
    // Then the next start meets the damage as this one did.
    return false;
  }
}

/** What `noteDamage` wrote, or null. */
export function readDamageNote(indexDir: string): string | null {
  try {
    return fs.readFileSync(path.join(indexDir, NOTE_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
