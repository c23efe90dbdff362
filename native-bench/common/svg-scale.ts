// Axes of a plot: where a value stands, which round numbers are marked, and how they are written.

export type Scale = 'linear' | 'log';

const TICKS = 6;
/** Fewer powers of ten than this, and their doubles and fivefolds are marked as well. */
const DECADES_ALONE = 4;

/** A function from a value to pixels: `low` stands at `from`, `high` at `to`. A logarithmic one throws below 0, and at 0. */
export function scaleOf(
  scale: Scale,
  low: number,
  high: number,
  from: number,
  to: number,
): (value: number) => number {
  const place = (value: number): number => (scale === 'linear' ? value : log10(value));
  const [start, end] = [place(low), place(high)];
  const width = end - start || 1;
  return (value) => from + ((place(value) - start) / width) * (to - from);
}

function log10(value: number): number {
  if (!(value > 0)) throw new Error(`${value} has no place on a logarithmic axis`);
  return Math.log10(value);
}

/** Round numbers from `low` to `high`, ascending. */
export function axisTicks(scale: Scale, low: number, high: number): number[] {
  return scale === 'linear' ? linearTicks(low, high) : logTicks(low, high);
}

function linearTicks(low: number, high: number): number[] {
  const rough = (high - low) / TICKS;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? rough;
  const ticks: number[] = [];
  for (let at = Math.ceil(low / step); at * step <= high * (1 + 1e-9); at++) ticks.push(at * step);
  return ticks;
}

function logTicks(low: number, high: number): number[] {
  const first = Math.floor(log10(low));
  const last = Math.ceil(log10(high));
  const factors = last - first > DECADES_ALONE ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let exponent = first; exponent <= last; exponent++) {
    for (const factor of factors) {
      const tick = factor * 10 ** exponent;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return ticks;
}

/** Three significant digits at most: 0.125, 12.5, 1,250, 125k, 1.25M. */
export function compact(value: number): string {
  if (value >= 1e6) return `${short(value / 1e6)}M`;
  if (value >= 1e5) return `${short(value / 1e3)}k`;
  return value >= 1e3 ? Math.round(value).toLocaleString('en-GB') : short(value);
}

function short(value: number): string {
  const digits = value.toPrecision(3);
  return digits.includes('.') ? digits.replace(/0+$/, '').replace(/\.$/, '') : `${Math.round(value)}`;
}
