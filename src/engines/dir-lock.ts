// One process per data directory and role. The lock is the name of an abstract unix socket: the kernel frees it at
// the very moment its holder dies, so there is nothing stale to clean up after a kill -9. Abstract names belong to
// a network namespace: containers that share a data directory but not a network are not kept apart by it.

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { err, ok, type Result } from '../core/result.js';

export interface DirLock {
  release(): Promise<void>;
}

export interface DirLockFailure {
  readonly code: 'held' | 'failed';
  /** For the operator. */
  readonly message: string;
}

const ASK_HOLDER_MS = 250;

/** Takes the lock of `role` on an existing directory, or says who holds it. */
export async function lockDir(role: string, directory: string): Promise<Result<DirLock, DirLockFailure>> {
  let name: string;
  try {
    name = `\0openbell-${role}-${createHash('sha256').update(realpathSync(directory)).digest('hex')}`;
  } catch (error) {
    return err({ code: 'failed', message: `cannot lock ${directory}: ${(error as Error).message}` });
  }
  // Whoever is refused asks for the holder's process id.
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`${process.pid}\n`);
  });
  const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    server.once('error', resolve);
    server.listen(name, () => resolve(null));
  });
  if (failure === null) {
    server.unref();
    return ok({ release: () => new Promise((resolve) => server.close(() => resolve())) });
  }
  if (failure.code !== 'EADDRINUSE') {
    return err({ code: 'failed', message: `cannot lock ${directory}: ${failure.message}` });
  }
  const holder = await askHolder(name);
  return err({ code: 'held', message: `${directory} is in use by another ${role} process${holder}` });
}

/** " (pid 123)", or nothing when the holder does not say. */
async function askHolder(name: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(name);
    const done = (): void => {
      socket.destroy();
      resolve(/^\d{1,10}\n$/.test(answer) ? ` (pid ${answer.trim()})` : '');
    };
    socket.setTimeout(ASK_HOLDER_MS, done);
    socket.on('data', (chunk: Buffer) => {
      answer = (answer + chunk.toString('latin1')).slice(0, 32);
    });
    socket.on('end', done);
    socket.on('error', done);
  });
}
