// CPU time of whole servers: processes, their children, and those that have ended meanwhile.

import { readdirSync, readFileSync } from 'node:fs';

/** Kernel ticks; Linux shows 100 a second to programs. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly parent: number;
  /** Own time and that of children that ended and were waited for, in ticks. */
  readonly ticks: number;
}

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // gone since it was listed
  }
  // The second field is the name in brackets, which may hold spaces: ppid is field 4, utime to cstime are 14 to 17.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number.parseInt(fields[number - 3] ?? '', 10);
  return { parent: field(4), ticks: field(14) + field(15) + field(16) + field(17) };
}

/** `roots` and all their descendants that are alive. */
export function processTree(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number.parseInt(name, 10);
    const parent = readStat(pid)?.parent;
    if (parent === undefined) continue;
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [...roots];
  // A process has one parent, so the walk ends.
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** Seconds of CPU, user and system, that the tree below `roots` has used so far. */
export function treeCpuS(roots: readonly number[]): number {
  const ticks = processTree(roots).reduce((sum, pid) => sum + (readStat(pid)?.ticks ?? 0), 0);
  return ticks / TICKS_PER_SECOND;
}
