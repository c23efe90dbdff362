// An edge or a ledger under a supervisor, as production runs it: whatever ends it, it is started again on the same ports and
// data. It may end by our SIGKILL, or with one of the exit codes that say "try again"; any other end is a finding.

import { EXIT } from '../../src/core/exit-codes.js';
import type { Exit, NodeProcess } from '../harness/node-process.js';
import { pauseProcess } from '../harness/pause-process.js';

const RESTART_DELAY_MS = 200;
const POLL_MS = 20;
const PROBE_TIMEOUT_MS = 1_000;
const READY_TIMEOUT_MS = 90_000;
const STDERR_SHOWN = 4_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Supervised<P extends NodeProcess> {
  /** Ends with 75: fenced, or not free yet. */
  fenced = 0;
  /** Ends with 69: an engine could not be reached at a start. */
  unavailable = 0;
  /** An end that should not have been, with the last that it said. */
  problem: string | null = null;
  readonly #name: string;
  readonly #start: () => Promise<P>;
  readonly #adminUrl: string;
  readonly #onFenced: (process: P) => void;
  #current: P;
  #isStopping = false;

  /**
   * @param start starts the process, and does not wait until it is ready
   * @param onFenced is told of each end with 75
   */
  constructor(
    name: string,
    first: P,
    start: () => Promise<P>,
    adminUrl: string,
    onFenced: (process: P) => void = () => undefined,
  ) {
    this.#name = name;
    this.#current = first;
    this.#start = start;
    this.#adminUrl = adminUrl;
    this.#onFenced = onFenced;
    this.#watch(first);
  }

  /** The process that runs now, or ran last. */
  get current(): P {
    return this.#current;
  }

  /** kill -9 of a running process; the next one is on its way then. */
  async kill(): Promise<void> {
    let exit: Exit = { code: null, signal: null };
    // One that ends by itself at this very moment was not killed: the next one is.
    while (exit.signal !== 'SIGKILL') exit = await (await this.#running()).kill();
  }

  /** SIGSTOP for so long, then SIGCONT. */
  async pause(ms: number): Promise<void> {
    const paused = await this.#pauseRunning();
    await pause(ms);
    paused.signal('SIGCONT');
  }

  /** Resolves when the one that runs then says that it is ready. */
  async untilReady(): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!(await this.isReady())) {
      this.#failOnProblem();
      if (performance.now() > deadline)
        throw new Error(`${this.#name} not ready within ${READY_TIMEOUT_MS} ms\n${this.#lastWords()}`);
      await pause(POLL_MS);
    }
  }

  async isReady(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
      const answer = await fetch(`${this.#adminUrl}/readyz`, { signal });
      await answer.text();
      return answer.status === 200;
    } catch {
      return false; // it is down, or stands still
    }
  }

  /** SIGTERM, and an end in order. */
  stop(): Promise<Exit> {
    this.#isStopping = true;
    return this.#current.stop();
  }

  /** The end, however it came to it. */
  async abandon(): Promise<void> {
    this.#isStopping = true;
    await this.#current.kill();
  }

  #watch(process: P): void {
    void process.exited.then(async ({ code, signal }) => {
      if (this.#isStopping) return;
      if (code === EXIT.tryAgain) {
        this.fenced++;
        this.#onFenced(process);
      } else if (code === EXIT.unavailable) this.unavailable++;
      else if (signal !== 'SIGKILL') this.problem = `${this.#name} ended with ${code ?? signal}`;
      if (this.problem !== null) this.problem += `\n${this.#lastWords()}`;
      else await this.#restart();
    });
  }

  async #restart(): Promise<void> {
    await pause(RESTART_DELAY_MS);
    if (this.#isStopping) return;
    const next = await this.#start();
    this.#current = next;
    this.#watch(next);
    if (this.#isStopping) await next.kill();
  }

  async #running(): Promise<P> {
    while (this.#current.hasExited()) {
      this.#failOnProblem();
      await pause(POLL_MS);
    }
    return this.#current;
  }

  async #pauseRunning(): Promise<P> {
    for (;;) {
      await this.untilReady();
      const process = await this.#running();
      try {
        await pauseProcess(process);
        return process;
      } catch (error) {
        if (!process.hasExited()) throw error;
      }
    }
  }

  #failOnProblem(): void {
    if (this.problem !== null) throw new Error(this.problem);
  }

  #lastWords(): string {
    return this.#current.stderr().slice(-STDERR_SHOWN);
  }
}
