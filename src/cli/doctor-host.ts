// What `openbell doctor` checks of the machine: Node, the native modules, file descriptors, the clock.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bad, doubtful, type Finding, good } from './doctor-finding.js';
import { errorText } from './failure.js';

const NODE_MAJOR_MIN = 20;
const NODE_MINOR_MIN = 12;
/** What a rush of ten thousand connections needs, with room for the rest. */
const DESCRIPTORS_WANTED = 16_384;
const DESCRIPTORS_MIN = 1_024;
const CLOCK_TOLERANCE_MS = 2_000;

/** Everything about the host that does not depend on the configuration. */
export async function hostFindings(): Promise<Finding[]> {
  return [nodeVersion(), await nativeModule('uWebSockets.js'), await nativeModule('lmdb'), descriptors()];
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map((part) => Number.parseInt(part, 10));
  const isEnough = major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN);
  if (isEnough) return good('node', `v${process.versions.node}`);
  return bad(
    'node',
    `v${process.versions.node}`,
    `install Node ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer`,
  );
}

/** Native modules are built for a Node version and a C library: the only sure check is to load them. */
async function nativeModule(name: string): Promise<Finding> {
  const glibc = glibcVersion();
  const host = `Node ABI ${process.versions.modules}, ${glibc === null ? 'no glibc' : `glibc ${glibc}`}`;
  try {
    await import(name);
    return good(name, `loads (${host})`);
  } catch (error) {
    const fix =
      name === 'uWebSockets.js'
        ? 'run on Node 20 with glibc 2.36 or newer, or put the official uWebSockets.js build for your Node in its place'
        : 'run "npm ci" again on this machine';
    return bad(name, `does not load: ${errorText(error)} (${host})`, fix);
  }
}

function glibcVersion(): string | null {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime ?? null;
}

function descriptors(): Finding {
  const name = 'descriptors';
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return doubtful(name, 'the limit cannot be read on this system', 'see that "ulimit -n" is 16384 or more');
  }
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1] ?? '0';
  const count = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number.parseInt(soft, 10);
  if (count >= DESCRIPTORS_WANTED) return good(name, `${soft} open files`);
  const fix = 'raise it: "ulimit -n 65536", or LimitNOFILE=65536 in the systemd unit';
  return count < DESCRIPTORS_MIN
    ? bad(name, `${soft} open files`, fix)
    : doubtful(name, `${soft} open files`, fix);
}

/** A clock that stands before things that have happened already makes every token and every time wrong. */
export function clockFinding(dataDir: string, nowMs: number): Finding {
  const program = fileURLToPath(new URL('./main.js', import.meta.url));
  const newestMs = Math.max(statSync(program).mtimeMs, ...segmentTimesMs(join(dataDir, 'edge', 'journal')));
  const now = new Date(nowMs).toISOString();
  if (nowMs + CLOCK_TOLERANCE_MS >= newestMs) return good('clock', now);
  const newest = new Date(newestMs).toISOString();
  return bad(
    'clock',
    `${now} is before the newest journal or program file (${newest})`,
    'set the clock, run chrony or ntpd',
  );
}

function segmentTimesMs(journal: string): number[] {
  try {
    return readdirSync(journal).map((file) => statSync(join(journal, file)).mtimeMs);
  } catch {
    // No journal yet, or segments are being recycled at this moment.
    return [];
  }
}
