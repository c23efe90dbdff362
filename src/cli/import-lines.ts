// Reads a text file line by line, many lines at a time and never more than one block of it in memory.

import type { FileHandle } from 'node:fs/promises';
import { INVESTOR_LINE_CHARS_MAX } from '../core/limits.js';

const BLOCK_BYTES = 1_048_576;
/** A line longer than this is cut: the parser still sees that it is too long, and memory stays bounded. */
const LINE_BYTES_KEPT = 4 * (INVESTOR_LINE_CHARS_MAX + 2);
const LINE_FEED = 0x0a;

/**
 * The lines of the file from its beginning, in groups, without their line feeds.
 * @param onBlock sees every block of bytes as it is read; the block is reused afterwards
 */
export async function* readLineGroups(
  file: FileHandle,
  onBlock: (block: Buffer) => void = () => undefined,
): AsyncGenerator<readonly string[]> {
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  let rest = Buffer.alloc(0);
  let position = 0;
  let bytesRead = BLOCK_BYTES;
  while (bytesRead > 0) {
    ({ bytesRead } = await file.read(buffer, 0, BLOCK_BYTES, position));
    position += bytesRead;
    const block = buffer.subarray(0, bytesRead);
    onBlock(block);
    const last = block.lastIndexOf(LINE_FEED);
    if (last >= 0) {
      yield Buffer.concat([rest, block.subarray(0, last)])
        .toString('utf8')
        .split('\n');
      rest = Buffer.from(block.subarray(last + 1, last + 1 + LINE_BYTES_KEPT));
    } else if (rest.length < LINE_BYTES_KEPT) {
      rest = Buffer.concat([rest, block.subarray(0, LINE_BYTES_KEPT)]);
    }
  }
  if (rest.length > 0) yield [rest.toString('utf8')];
}
