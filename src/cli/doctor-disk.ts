// What `openbell doctor` checks of the disk under the data directory. It writes one small file there and removes it.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  openSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { JOURNAL_SEGMENTS_AHEAD } from '../core/limits.js';
import { bad, doubtful, type Finding, good } from './doctor-finding.js';
import { errorText } from './failure.js';

const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x794c7630, 'overlayfs'],
]);
const IN_MEMORY = ['tmpfs', 'ramfs'];
const REMOTE = ['nfs', 'cifs', 'smb2', '9p', 'fuse'];

const SYNCS = 64;
const BLOCK_BYTES = 4_096;
const SYNC_MS_SUSPICIOUS = 0.01;
const SYNC_MS_SLOW = 10;
const FREE_BYTES_WANTED = 2_147_483_648;

/** Everything about the place where the data is, or will be. */
export function diskFindings(dataDir: string, segmentBytes: number): Finding[] {
  const place = existing(resolve(dataDir));
  const made = place === resolve(dataDir) ? '' : ' (will be made)';
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    const fix = 'give the user of this process write access, or set OPENBELL_DATA_DIR';
    return [bad('data directory', `${dataDir} is not writable: ${errorText(error)}`, fix)];
  }
  return [
    good('data directory', `${resolve(dataDir)} is writable${made}`),
    fileSystem(place),
    freeSpace(place, segmentBytes),
    syncTime(place),
  ];
}

/** The directory itself or its nearest ancestor that is there. */
function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path));
}

function fileSystem(place: string): Finding {
  const { type } = statfsSync(place);
  const name = FILE_SYSTEMS.get(type) ?? `type 0x${type.toString(16)}`;
  const fix = 'put the data directory on a local disk (ext4 or xfs)';
  if (IN_MEMORY.includes(name))
    return bad('file system', `${name} lives in memory: a power cut loses it all`, fix);
  if (REMOTE.includes(name))
    return bad('file system', `${name}: LMDB and the journal need a local disk`, fix);
  if (name === 'overlayfs')
    return doubtful('file system', `${name}: the data ends with the container`, 'mount a volume');
  return good('file system', name);
}

function freeSpace(place: string, segmentBytes: number): Finding {
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const detail = `${Math.floor(free / 1_048_576)} MiB free`;
  const fix = 'free some, or set OPENBELL_DATA_DIR to a larger disk';
  if (free < (JOURNAL_SEGMENTS_AHEAD + 2) * segmentBytes)
    return bad('free space', `${detail}: not even the first journal segments fit`, fix);
  return free < FREE_BYTES_WANTED ? doubtful('free space', detail, fix) : good('free space', detail);
}

/** Every answer waits for one fdatasync, so this is the floor of the latency. */
function syncTime(place: string): Finding {
  const file = join(place, `.openbell-doctor-${process.pid}`);
  const times: number[] = [];
  try {
    const handle = openSync(file, 'wx', 0o600);
    try {
      unlinkSync(file);
      const block = Buffer.alloc(BLOCK_BYTES, 0x5a);
      writeSync(handle, Buffer.alloc(SYNCS * BLOCK_BYTES), 0, SYNCS * BLOCK_BYTES, 0);
      fdatasyncSync(handle);
      for (let i = 0; i < SYNCS; i++) {
        writeSync(handle, block, 0, BLOCK_BYTES, i * BLOCK_BYTES);
        const startedAtMs = performance.now();
        fdatasyncSync(handle);
        times.push(performance.now() - startedAtMs);
      }
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    return bad(
      'fdatasync',
      `fails: ${errorText(error)}`,
      'this disk cannot hold the journal: use another one',
    );
  }
  times.sort((a, b) => a - b);
  const median = times[SYNCS / 2]!;
  const detail = `median ${median.toFixed(3)} ms, slowest of ${SYNCS} ${times.at(-1)!.toFixed(3)} ms`;
  if (median < SYNC_MS_SUSPICIOUS) {
    return doubtful(
      'fdatasync',
      `${detail}: too fast to have reached a disk`,
      'see that the disk or its hypervisor does not ignore syncs',
    );
  }
  if (median > SYNC_MS_SLOW)
    return doubtful('fdatasync', `${detail}: every answer waits this long`, 'use a local NVMe disk');
  return good('fdatasync', detail);
}
