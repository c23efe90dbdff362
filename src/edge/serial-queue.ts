// Work that must happen one after the other, with a bound on how much may wait.

export class SerialQueue {
  readonly #waitingMax: number;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** True when `run` would pass the bound; whoever acts for the outside asks first. */
  get full(): boolean {
    return this.#waiting >= this.#waitingMax;
  }

  /** Runs `work` after all that was given before. A failure reaches its own caller only. */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const done = this.#tail.then(work).finally(() => {
      this.#waiting--;
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }
}
