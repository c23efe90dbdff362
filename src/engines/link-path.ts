// Where the embedded link meets: a socket file in the data directory.

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The kernel's limit of a socket address is 108 bytes, some systems have 104. */
const PATH_BYTES_MAX = 100;

/**
 * `<dataDir>/ledger.sock`, or, where that is too long for a socket address, a name in the temporary directory that
 * depends on the data directory only, so that both sides find it.
 */
export function linkSocketPath(dataDir: string): string {
  const absolute = realpath(dataDir);
  const path = join(absolute, 'ledger.sock');
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return path;
  const digest = createHash('sha256').update(absolute).digest('hex').slice(0, 16);
  return join(tmpdir(), `openbell-${digest}.sock`);
}

function realpath(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    // Not there yet: whoever asks cannot connect or listen, and says so with the path.
    return resolve(directory);
  }
}
