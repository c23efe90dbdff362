// When each attempt is meant to be sent. These times are fixed before the first byte leaves, so that a slow node is
// charged for every millisecond it makes an attempt wait (no coordinated omission).

export type Curve = 'flat' | 'bell';

/** The opening bell: most of the crowd is there at the first instant, at about three times the mean, then it thins out. */
const BELL_DECAY = 2.82;

/**
 * Milliseconds after the start at which attempt `index` of `total` is due.
 * Both curves spread `total` attempts over `durationMs`; `bell` is an exponential decay, cut off at the end.
 */
export function dueMs(curve: Curve, index: number, total: number, durationMs: number): number {
  const share = index / total;
  if (curve === 'flat') return share * durationMs;
  return (-Math.log1p(-share * (1 - Math.exp(-BELL_DECAY))) / BELL_DECAY) * durationMs;
}
