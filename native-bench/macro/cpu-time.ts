// CPU time of another process and of each of its threads, from /proc.

import { readdirSync, readFileSync } from 'node:fs';

export interface CpuTimes {
  /** Seconds of all threads, user and system, also of those that have ended. */
  readonly totalS: number;
  /** Seconds by thread id. */
  readonly threads: ReadonlyMap<number, number>;
}

/** What one block of load cost. */
export interface CpuUse {
  readonly totalS: number;
  /** The main thread. */
  readonly mainS: number;
  /** The busiest other thread: an admission shard, where there is one. */
  readonly busiestS: number;
  /** All other threads: collector, index, disk. */
  readonly restS: number;
}

/** Kernel ticks of utime and stime; Linux shows 100 a second to programs. */
const TICKS_PER_SECOND = 100;

export function readCpuTimes(pid: number): CpuTimes {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in brackets, which may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const threads = new Map<number, number>();
  for (const name of readdirSync(`/proc/${pid}/task`)) {
    const schedule = readFileSync(`/proc/${pid}/task/${name}/schedstat`, 'utf8');
    threads.set(Number(name), Number(schedule.split(' ')[0]) / 1e9);
  }
  return { totalS: ticks / TICKS_PER_SECOND, threads };
}

export function cpuUse(pid: number, before: CpuTimes, after: CpuTimes): CpuUse {
  const used = (thread: number): number =>
    (after.threads.get(thread) ?? 0) - (before.threads.get(thread) ?? 0);
  const others = [...after.threads.keys()].filter((thread) => thread !== pid).map(used);
  const busiestS = Math.max(0, ...others);
  return {
    totalS: after.totalS - before.totalS,
    mainS: used(pid),
    busiestS,
    restS: others.reduce((sum, each) => sum + each, 0) - busiestS,
  };
}
