// The life of one real engine: started, asked until it answers, paused, killed, started again on the same ports and data,
// and gone with everything it wrote when its test is over. What is particular to an engine is in its own file.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Exit } from './node-process.js';

/** How to start one engine, and how to know that it is there. */
export interface EngineSpec {
  /** For messages, and for the name of the temporary directory. */
  readonly name: string;
  /** The command and its arguments; `directory` is the instance's own, and is kept from one start to the next. */
  readonly command: (directory: string) => readonly string[];
  /** Variables over the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** One question to the engine: resolves when it has answered well, rejects otherwise. Bounded in time by itself. */
  readonly ask: () => Promise<void>;
  readonly readyTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

/** One instance of an engine on loopback. Every method that ends or pauses it waits until that is so. */
export interface Engine {
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** Holds the instance's data and its log. */
  readonly directory: string;
  isRunning(): boolean;
  /** SIGTERM, then waits for the end; SIGKILL and an error if it takes too long. The data stays. */
  stop(): Promise<Exit>;
  /** SIGKILL, then waits for the end. The data stays as it is. */
  kill(): Promise<Exit>;
  /** SIGSTOP: returns when every thread has stopped. Connections stay open, and nothing is answered. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** Starts it again, on the same ports and data, after `stop` if it runs; returns when it answers. */
  restart(): Promise<void>;
  /** Resolves once the engine answers. Throws, with the end of its log, when it ends or time runs out. */
  waitReady(): Promise<void>;
  /** The end of what the process has written. */
  logTail(): string;
  /** Ends it, in order if it runs, and deletes its directory. */
  remove(): Promise<void>;
}

const LOG_TAIL_CHARACTERS = 8_000;
const ASK_INTERVAL_MS = 50;
const PAUSE_INTERVAL_MS = 1;
const PAUSE_TIMEOUT_MS = 5_000;

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Instances of this process: neither they nor their directories may outlive a test that breaks off. */
const instances = new Set<EngineProcess>();
process.once('exit', () => {
  for (const instance of instances) instance.abandon();
});

/** Whether every thread of a process is stopped (state `T`, the first field after the name in parentheses). */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      return stat[stat.lastIndexOf(')') + 2] === 'T';
    } catch {
      return true; // it has ended since the list was read
    }
  });
}

class EngineProcess implements Engine {
  readonly directory: string;
  readonly #spec: EngineSpec;
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #exited: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  #running = false;

  constructor(spec: EngineSpec) {
    this.#spec = spec;
    this.directory = mkdtempSync(join(tmpdir(), `openbell-${spec.name}-`));
    this.#logFile = join(this.directory, 'log');
    instances.add(this);
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  isRunning(): boolean {
    return this.#running;
  }

  async start(): Promise<void> {
    // A file, not a pipe: an engine must not wait for a test that is too busy to read.
    const log = openSync(this.#logFile, 'a');
    // setpriv becomes the engine, with the same pid; the kernel kills it when this process dies, however it dies
    // (exactly: when the thread dies that has started it, so a worker thread must outlive its engines).
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...this.#spec.command(this.directory)], {
      env: { ...process.env, ...this.#spec.env },
      cwd: this.directory,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    this.#running = true;
    this.#exited = new Promise((resolve, reject) => {
      child.once('error', (error) => {
        this.#running = false;
        reject(error);
      });
      child.once('exit', (code, signal) => {
        this.#running = false;
        resolve({ code, signal });
      });
    });
    this.#exited.catch(() => undefined); // whoever awaits it hears of it
    await this.waitReady();
  }

  async waitReady(): Promise<void> {
    const deadline = performance.now() + this.#spec.readyTimeoutMs;
    let last = 'no answer';
    while (performance.now() < deadline) {
      if (!this.#running) {
        const { code, signal } = await this.#exited;
        throw new Error(
          `${this.#spec.name} ended (${code ?? signal}) before it was ready\n${this.logTail()}`,
        );
      }
      try {
        await this.#spec.ask();
        return;
      } catch (error) {
        last = (error as Error).message;
      }
      await delay(ASK_INTERVAL_MS);
    }
    throw new Error(
      `${this.#spec.name} was not ready within ${this.#spec.readyTimeoutMs} ms: ${last}\n${this.logTail()}`,
    );
  }

  async stop(): Promise<Exit> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#child?.kill('SIGKILL');
    }, this.#spec.stopTimeoutMs);
    this.#signal('SIGTERM');
    this.#signal('SIGCONT'); // a paused one would never hear
    const exit = await this.#exited;
    clearTimeout(timer);
    if (late) {
      throw new Error(
        `${this.#spec.name} did not stop within ${this.#spec.stopTimeoutMs} ms of SIGTERM\n${this.logTail()}`,
      );
    }
    return exit;
  }

  kill(): Promise<Exit> {
    this.#signal('SIGKILL');
    return this.#exited;
  }

  async pause(): Promise<void> {
    if (!this.#signal('SIGSTOP')) throw new Error(`${this.#spec.name} does not run, so it can not be paused`);
    const deadline = performance.now() + PAUSE_TIMEOUT_MS;
    while (!isStopped(this.pid)) {
      if (performance.now() > deadline) throw new Error(`${this.#spec.name} does not pause`);
      await delay(PAUSE_INTERVAL_MS);
    }
  }

  resume(): void {
    if (!this.#signal('SIGCONT'))
      throw new Error(`${this.#spec.name} does not run, so it can not be resumed`);
  }

  async restart(): Promise<void> {
    if (this.#running) await this.stop();
    await this.start();
  }

  logTail(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-LOG_TAIL_CHARACTERS);
  }

  async remove(): Promise<void> {
    try {
      if (this.#running) await this.stop();
    } finally {
      this.abandon();
    }
  }

  /** What can be done without waiting: SIGKILL, and the directory deleted. */
  abandon(): void {
    this.#signal('SIGKILL');
    instances.delete(this);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #signal(name: NodeJS.Signals): boolean {
    return this.#running && (this.#child?.kill(name) ?? false);
  }
}

/** Starts an engine and waits until it answers. If it does not, nothing is left of it. */
export async function startEngine(spec: EngineSpec): Promise<Engine> {
  const engine = new EngineProcess(spec);
  try {
    await engine.start();
  } catch (error) {
    await engine.kill().catch(() => undefined); // the error that matters is the first
    engine.abandon();
    throw error;
  }
  return engine;
}
