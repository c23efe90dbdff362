// The first pass of an import: reads the whole file before anything is sent, so that a bad line anywhere means that
// nothing is imported. Memory is bounded by IMPORT_LINES_MAX: each investor is kept to find the one named twice.

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import {
  type BadLine,
  type InvestorLineFormat,
  isInvestorHeader,
  parseInvestorLine,
} from '../core/investor-lines.js';
import { IMPORT_BAD_LINES_SHOWN, IMPORT_LINES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { readLineGroups } from './import-lines.js';

export interface CheckedFile {
  readonly format: InvestorLineFormat;
  /** Hexadecimal, of the bytes that were read. */
  readonly sha256: string;
  /** Good lines: what there is to import. */
  readonly investors: number;
  readonly badLineCount: number;
  /** The first of them. */
  readonly badLines: readonly BadLine[];
  /** Numbers, from 1, of the lines that are not sent: bad ones, empty ones and the header. */
  readonly notSent: ReadonlySet<number>;
}

const BOM = '\ufeff';

/**
 * Checks every line. An error means that the file as a whole cannot be imported.
 * @param onProgress hears how many bytes have been read so far
 */
export async function checkFile(
  file: FileHandle,
  onProgress: (bytes: number) => void,
): Promise<Result<CheckedFile, string>> {
  const hash = createHash('sha256');
  const seen = new Set<string>();
  const badLines: BadLine[] = [];
  const notSent = new Set<number>();
  let format: InvestorLineFormat | null = null;
  let badLineCount = 0;
  let number = 0;
  let bytes = 0;
  const onBlock = (block: Buffer): void => {
    hash.update(block);
    bytes += block.length;
  };
  for await (const group of readLineGroups(file, onBlock)) {
    for (const raw of group) {
      number++;
      if (number > IMPORT_LINES_MAX) return err(`more than ${IMPORT_LINES_MAX} lines: import it in parts`);
      const line = number === 1 && raw.startsWith(BOM) ? raw.slice(1) : raw;
      if (line === '' || line === '\r' || (number === 1 && isInvestorHeader(line))) {
        notSent.add(number);
        continue;
      }
      format ??= line.startsWith('{') ? 'ndjson' : 'csv';
      const parsed = parseInvestorLine(format, line);
      const problem = parsed.ok ? addInvestor(seen, parsed.value.investor) : parsed.error;
      if (problem === null) continue;
      badLineCount++;
      notSent.add(number);
      if (badLines.length < IMPORT_BAD_LINES_SHOWN) badLines.push({ line: number, problem });
    }
    onProgress(bytes);
  }
  if (format === null) return err('there is no line in it');
  return ok({ format, sha256: hash.digest('hex'), investors: seen.size, badLineCount, badLines, notSent });
}

function addInvestor(seen: Set<string>, investor: string): string | null {
  const before = seen.size;
  seen.add(investor);
  return seen.size > before ? null : `investor ${investor} is on an earlier line already`;
}
