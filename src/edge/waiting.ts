// Waits of a loop that has something to do when it is woken, and of its retries, which only an end cuts short.

export class Waiting {
  #sleeper: (() => void) | null = null;
  /** Woken before it slept. */
  #isAwake = false;
  readonly #pauses = new Set<() => void>();
  #ended = false;

  /** Ends the sleep that goes on, or the next one. */
  wake(): void {
    this.#isAwake = true;
    this.#sleeper?.();
  }

  /** Ends all waits, and every later one of `sleep` and `pause` at once. */
  end(): void {
    this.#ended = true;
    this.wake();
    for (const end of [...this.#pauses]) end();
  }

  /** Resolves at the next `wake`, or after so long, or when it has ended. */
  async sleep(ms: number): Promise<void> {
    if (!this.#ended) await this.next(ms);
  }

  /** Resolves at the next `wake` or after so long, also when it has ended. */
  async next(ms: number): Promise<void> {
    if (!this.#isAwake) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#sleeper = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#sleeper = null;
    }
    this.#isAwake = false;
  }

  /** Resolves after so long, or when it has ended. */
  pause(ms: number): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#pauses.add(end);
    });
  }
}
