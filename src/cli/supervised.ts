// One child process of `openbell up`: started from this very program, watched until it is gone.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../core/exit-codes.js';
import { STOP_DEADLINE_MS } from '../core/limits.js';
import type { ServiceMessage } from './service.js';

export type Role = 'edge' | 'ledger';

export interface Exit {
  /** Of the process; EXIT.internal when a signal ended it. */
  readonly code: number;
  /** What it said was wrong, if it said something. */
  readonly message: string | null;
}

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

export class SupervisedProcess {
  readonly role: Role;
  /** Its ports once it is ready; null if it ended before that. */
  readonly ready: Promise<Readonly<Record<string, number>> | null>;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #message: string | null = null;
  #stopRequested = false;

  constructor(role: Role, configFile: string | undefined, env: NodeJS.ProcessEnv) {
    this.role = role;
    const args = [role, '--supervised', ...(configFile === undefined ? [] : ['--config', configFile])];
    // Its stdout is nobody's result, so it goes where logs go.
    const child = fork(MAIN, args, { env, stdio: ['ignore', 2, 2, 'ipc'] });
    this.#child = child;
    this.exited = new Promise((resolve) => {
      child.once('error', (error) =>
        resolve({ code: EXIT.internal, message: `cannot start ${role}: ${error.message}` }),
      );
      child.once('exit', (code, signal) => {
        const end = (): void => {
          // A process that is told to stop before it has begun to listen for that ends by the signal itself.
          const isInOrder = this.#stopRequested && signal === 'SIGTERM';
          const message = this.#message ?? (signal === null ? null : `${role} was ended by ${signal}`);
          resolve(isInOrder ? { code: EXIT.done, message: null } : { code: code ?? EXIT.internal, message });
        };
        // What it said last may still be in the channel, which closes after it.
        if (child.connected) child.once('disconnect', end);
        else end();
      });
    });
    this.ready = new Promise((resolve) => {
      child.on('message', (message: ServiceMessage) => {
        if (message.type === 'failed') this.#message = message.message;
        else resolve(message.ports);
      });
      void this.exited.then(() => resolve(null));
    });
  }

  /** SIGTERM, and SIGKILL if that does not end it in time. */
  async stop(): Promise<Exit> {
    this.#stopRequested = true;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS + 5_000);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}
