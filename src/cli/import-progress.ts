// Where an import stands, in a small file beside the data, so that an interrupted one goes on where it stopped.
//
// `<dataDir>/imports/<key>.json`, written by the import command alone, replaced whole after each acknowledged chunk,
// removed at the end. The key is made from the file's content and everything that the sending depends on. Nothing is
// lost with it: chunks that are sent again change nothing.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class ImportProgress {
  readonly #directory: string;
  readonly #file: string;

  /** @param parts what the import depends on: content hash, addresses, options */
  constructor(dataDir: string, parts: readonly string[]) {
    const key = createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
    this.#directory = join(dataDir, 'imports');
    this.#file = join(this.#directory, `${key}.json`);
  }

  /** The last line that every service has acknowledged; 0 at the beginning. */
  acknowledgedLine(): number {
    try {
      const { acknowledgedLine } = JSON.parse(readFileSync(this.#file, 'utf8')) as {
        acknowledgedLine?: unknown;
      };
      return typeof acknowledgedLine === 'number' && Number.isSafeInteger(acknowledgedLine)
        ? acknowledgedLine
        : 0;
    } catch {
      // None, or not readable: begin again, which does no harm.
      return 0;
    }
  }

  acknowledge(line: number): void {
    mkdirSync(this.#directory, { recursive: true });
    const fresh = `${this.#file}.${process.pid}`;
    writeFileSync(fresh, `${JSON.stringify({ acknowledgedLine: line })}\n`);
    renameSync(fresh, this.#file);
  }

  clear(): void {
    rmSync(this.#file, { force: true });
  }
}
