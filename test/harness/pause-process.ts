// Stops a process as a machine that stands still would: every thread at once, in the middle of whatever it does.

import { readdirSync, readFileSync } from 'node:fs';
import type { NodeProcess } from './node-process.js';

const TIMEOUT_MS = 5_000;

/** SIGSTOP; returns when every thread has stopped. SIGCONT lets it go on. */
export async function pauseProcess(process: NodeProcess): Promise<void> {
  process.signal('SIGSTOP');
  const deadline = performance.now() + TIMEOUT_MS;
  while (!isStopped(process.pid)) {
    if (performance.now() > deadline) throw new Error(`process ${process.pid} does not pause`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The state is the first field after the name in parentheses. */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] === 'T';
  });
}
