// The two clocks of a process: one that tells the time, one that measures it.

/** Milliseconds since the epoch. */
export const nowMs = (): number => Date.now();

/** Milliseconds from some start, never set back. */
export const monotonicMs = (): number => performance.now();
