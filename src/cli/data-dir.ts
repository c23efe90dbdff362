// The data directory, made if it is not there.

import { mkdirSync } from 'node:fs';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { errorText, type Failure } from './failure.js';

/** Makes the data directory; one that cannot be made is a matter of configuration. */
export function ensureDataDir({ dataDir }: Config): Result<null, Failure> {
  try {
    mkdirSync(dataDir, { recursive: true });
    return ok(null);
  } catch (error) {
    const message = `the data directory cannot be made: ${errorText(error)}; set OPENBELL_DATA_DIR`;
    return err({ message, exitCode: EXIT.config });
  }
}
