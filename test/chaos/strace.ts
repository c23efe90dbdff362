// Uses strace as the fault injector of the disk: it delays or fails the fdatasync of the journal's segments, and only those.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Segments that the filter names; a short test never reaches the last. */
const SEGMENTS_NAMED = 8;

function tracesHere(): string | undefined {
  const tried = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], { encoding: 'utf8' });
  if (tried.error !== undefined) return `strace cannot be started (${tried.error.message})`;
  if (tried.status !== 0) return `strace cannot trace on this host: ${tried.stderr.trim()}`;
  return undefined;
}

/** Why these tests cannot run here; false if they can. Where every tool is required, they run and so fail. */
export function straceMissing(): string | false {
  const reason = process.env['REQUIRE_ENGINES'] === '1' ? undefined : tracesHere();
  return reason ?? false;
}

/**
 * A command to run node under that does this to every fdatasync of a journal segment.
 * @param fault such as `delay_enter=300000` or `error=EIO:when=8+`; counts are per thread
 */
export function straceWrapper(dataDir: string, traceFile: string, fault: string): string[] {
  const paths = Array.from({ length: SEGMENTS_NAMED }, (_, index) => [
    '-P',
    join(dataDir, 'edge', 'journal', `${`${index}`.padStart(10, '0')}.seg`),
  ]);
  // -D: node keeps the pid that was spawned, and the tracer is the one that is forked off.
  const trace = ['-D', '-f', '--seccomp-bpf', '-qq', '-o', traceFile, '-e', 'trace=fdatasync'];
  return ['strace', ...trace, '-e', `inject=fdatasync:${fault}`, ...paths.flat()];
}
