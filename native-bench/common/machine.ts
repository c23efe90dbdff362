// What a figure was measured on: it means nothing without.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** File system of the data directory. */
  readonly disk: string;
  /** Load average of the last minute before the run: above one, something else was running. */
  readonly loadBefore: number;
  /** Commit of the sources; `+` if they were changed since. */
  readonly commit: string;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return ''; // not a clone, or no git: the figure is then of an unknown commit
  }
}

/** The type of the mount that holds `dir`: the longest mount point that it starts with. */
function fileSystemOf(dir: string): string {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const holding = mounts.filter(([, point = '-']) => `${dir}/`.startsWith(point === '/' ? '/' : `${point}/`));
  const deepest = holding.toSorted((a, b) => (b[1] ?? '').length - (a[1] ?? '').length)[0];
  return deepest?.[2] ?? 'unknown';
}

export function describeMachine(dataDir: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${release()} ${arch()}`,
    node: process.version,
    disk: fileSystemOf(dataDir),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    commit: `${git('rev-parse', '--short=12', 'HEAD') || 'unknown'}${git('status', '--porcelain') === '' ? '' : '+'}`,
  };
}
