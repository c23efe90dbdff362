// What every attempt of a run is: who invests how much under which key. A pure function of the settings and the seed.

import { randomAt, seededRandom } from './random.js';

export interface PlanSettings {
  readonly seed: number;
  readonly investors: number;
  /** Minor units. */
  readonly amountMin: number;
  readonly amountMax: number;
  /** Percent of attempts that repeat an earlier one: same investor, key and body. */
  readonly duplicatesPercent: number;
  /** Percent of investors who are imported with less money than the smallest investment. */
  readonly poorPercent: number;
}

/** A duplicate repeats one of this many attempts before it: recent ones may still be in flight. */
const DUPLICATE_WINDOW = 256;
const CAPACITY_FIRST = 65_536;
/** Odd and large, so that a walk over the investors by this step looks shuffled. */
const STEP = 0.618_033_988_749_894_9;

/** `rush-000001` for index 0. */
export function investorName(index: number): string {
  return `rush-${String(index + 1).padStart(6, '0')}`;
}

/** Attempts are numbered from 0 and made in order by `next`; what they are can be asked for at any time after. */
export class Plan {
  readonly settings: PlanSettings;
  readonly #random: () => number;
  readonly #keyPrefix: string;
  readonly #stride: number;
  readonly #offset: number;
  readonly #unit: number;
  #fresh = 0;
  #count = 0;
  #investors = new Uint32Array(CAPACITY_FIRST);
  #origins = new Uint32Array(CAPACITY_FIRST);
  #amounts = new Float64Array(CAPACITY_FIRST);

  constructor(settings: PlanSettings) {
    this.settings = settings;
    this.#random = seededRandom(settings.seed);
    this.#keyPrefix = `r${(settings.seed >>> 0).toString(36)}-`;
    this.#stride = coprimeNear(Math.floor(settings.investors * STEP), settings.investors);
    this.#offset = Math.floor(this.#random() * settings.investors);
    this.#unit = roundUnit(settings.amountMin, settings.amountMax);
  }

  /** Number of attempts made so far. */
  get count(): number {
    return this.#count;
  }

  /** Makes the next attempt and returns its number. */
  next(): number {
    const attempt = this.#count++;
    if (attempt === this.#investors.length) this.#grow();
    const repeats = attempt > 0 && this.#random() * 100 < this.settings.duplicatesPercent;
    if (repeats) {
      const back = 1 + Math.floor(this.#random() * Math.min(DUPLICATE_WINDOW, attempt));
      const origin = this.#origins[attempt - back] as number;
      this.#origins[attempt] = origin;
      this.#investors[attempt] = this.#investors[origin] as number;
      this.#amounts[attempt] = this.#amounts[origin] as number;
      return attempt;
    }
    const { investors, amountMin, amountMax } = this.settings;
    const first = Math.ceil(amountMin / this.#unit);
    const steps = Math.floor(amountMax / this.#unit) - first + 1;
    this.#origins[attempt] = attempt;
    // Every investor once, then every investor again: two attempts of one investor are as far apart as can be.
    this.#investors[attempt] = (this.#offset + (this.#fresh++ % investors) * this.#stride) % investors;
    this.#amounts[attempt] = (first + Math.floor(this.#random() * steps)) * this.#unit;
    return attempt;
  }

  /** Index of the attempt's investor. */
  investor(attempt: number): number {
    return this.#investors[attempt] as number;
  }

  /** Minor units. */
  amount(attempt: number): number {
    return this.#amounts[attempt] as number;
  }

  /** The first attempt with the same key: itself, unless it is a duplicate. */
  origin(attempt: number): number {
    return this.#origins[attempt] as number;
  }

  /** The idempotency key, the same for a duplicate as for its origin. */
  key(attempt: number): string {
    return this.#keyPrefix + this.origin(attempt).toString(36);
  }

  /** True if this investor is imported without enough money. */
  isPoor(investor: number): boolean {
    return randomAt(this.settings.seed, investor) * 100 < this.settings.poorPercent;
  }

  #grow(): void {
    const capacity = this.#investors.length * 2;
    const investors = new Uint32Array(capacity);
    const origins = new Uint32Array(capacity);
    const amounts = new Float64Array(capacity);
    investors.set(this.#investors);
    origins.set(this.#origins);
    amounts.set(this.#amounts);
    [this.#investors, this.#origins, this.#amounts] = [investors, origins, amounts];
  }
}

/** The largest power of ten of which there are at least 50 multiples in the range, as people choose their amounts. */
function roundUnit(min: number, max: number): number {
  let unit = 1;
  while (Math.floor(max / (unit * 10)) - Math.ceil(min / (unit * 10)) >= 50 && unit * 10 <= min) unit *= 10;
  return unit;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

function coprimeNear(wanted: number, modulus: number): number {
  for (let step = Math.max(1, wanted); step < modulus; step++) {
    if (greatestCommonDivisor(step, modulus) === 1) return step;
  }
  return 1;
}
