// Bytes that reach a disk: by the kernel's counters of the device, and by file from the system calls of a process.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SECTOR_BYTES = 512;
const ATTACH_TIMEOUT_MS = 20_000;

/**
 * Bytes written so far to the device that holds `dir`, by whoever. What waits in memory is written out first.
 * Not /proc/PID/io: it counts a whole folio when a byte of it becomes dirty, and folios may be large.
 */
export function deviceBytes(dir: string): number {
  execFileSync('sync', ['-f', dir]);
  const { dev } = statSync(dir);
  // As the C library's major() and minor() take a device number apart, below 2^32.
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  const path = realpathSync(`/sys/dev/block/${major}:${minor}`);
  const written = readFileSync(join(path, 'stat'), 'utf8').trim().split(/\s+/)[6];
  return Number(written) * SECTOR_BYTES;
}

/**
 * Bytes that `pid` writes by system calls, by kind of file, while `load` runs.
 * @param kindOf what a path is counted under
 */
export async function callBytes(
  pid: number,
  traceFile: string,
  kindOf: (path: string) => string,
  load: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const calls = 'trace=pwrite64,pwritev,pwritev2,write,writev';
  const child = spawn('strace', ['-f', '-y', '-s', '0', '-o', traceFile, '-e', calls, '-p', `${pid}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('strace did not attach')), ATTACH_TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', () => reject(new Error('strace ended')));
    child.stderr.once('data', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  try {
    await load();
  } finally {
    child.kill('SIGINT');
    await exited;
  }
  return sumCalls(readFileSync(traceFile, 'utf8'), kindOf);
}

/** Adds up the bytes of a trace's calls on files. A call that was interrupted by another's line has its result in a later one. */
export function sumCalls(trace: string, kindOf: (path: string) => string): Record<string, number> {
  const bytes: Record<string, number> = {};
  const open = new Map<string, string>();
  for (const line of trace.split('\n')) {
    const thread = /^\d+/.exec(line)?.[0] ?? '';
    const path = /^\d+ +p?write\w*\(\d+<(\/[^>]*)>/.exec(line)?.[1];
    if (path !== undefined && line.endsWith('<unfinished ...>')) {
      open.set(thread, path);
      continue;
    }
    const result = /= (\d+)$/.exec(line)?.[1];
    const resumed = /^\d+ +<\.\.\. p?write/.test(line) ? open.get(thread) : undefined;
    const of = path ?? resumed;
    open.delete(thread);
    if (of === undefined || result === undefined) continue;
    const kind = kindOf(of);
    bytes[kind] = (bytes[kind] ?? 0) + Number.parseInt(result, 10);
  }
  return bytes;
}
