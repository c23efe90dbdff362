// Names the place where the lock of a data directory holds: this boot of this machine, this network namespace, this
// directory. Two processes of one place cannot hold the lock at the same time, so whoever has it may say of every
// other owner of the same place that it is gone.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';

/** The name of the place; one of its own, equal to no other, where the system does not tell. */
export function lockPlace(role: string, directory: string): string {
  const hash = createHash('sha256');
  try {
    hash.update(readFileSync('/proc/sys/kernel/random/boot_id'));
    hash.update(readlinkSync('/proc/self/ns/net'));
    hash.update(`\0${role}\0${realpathSync(directory)}`);
  } catch {
    return randomBytes(16).toString('hex');
  }
  return hash.digest('hex');
}
