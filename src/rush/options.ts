// What a run is told: the settings of `openbell rush`, taken from its arguments over the node's configuration.

import { randomInt } from 'node:crypto';
import type { Config } from '../core/config.js';
import { RUSH_ATTEMPTS_MAX, RUSH_CONNECTIONS_MAX, RUSH_INVESTORS_MAX } from '../core/limits.js';
import { AMOUNT_MINOR_MAX } from '../core/money.js';
import { err, ok, type Result } from '../core/result.js';
import { ROUND_ID_PATTERN } from '../core/round.js';
import { type Address, parseAddress } from './address.js';
import type { Curve } from './curve.js';
import type { Format } from './lane.js';

export type Transport = 'http' | 'ws' | 'mixed';

export interface RushOptions {
  readonly address: Address;
  readonly adminUrl: string;
  readonly ledgerUrl: string;
  /** Undefined: the only open round. */
  readonly round: string | undefined;
  /** Per second; 0: closed loop. */
  readonly rate: number;
  /** Seconds; Infinity when only the number of attempts ends the run. */
  readonly durationS: number;
  readonly attempts: number;
  readonly investors: number;
  readonly connections: number;
  readonly transport: Transport;
  readonly format: Format;
  readonly curve: Curve;
  /** Minor units; undefined: the round's own bounds. */
  readonly amountMin: number | undefined;
  readonly amountMax: number | undefined;
  readonly duplicatesPercent: number;
  readonly poorPercent: number;
  readonly seed: number;
  readonly importInvestors: boolean;
  readonly answersFile: string | undefined;
}

/** The arguments by name, as they were given. */
export type RushArguments = Readonly<Record<string, string | boolean | undefined>>;

const RATE_MAX = 1_000_000;
const DURATION_S_MAX = 86_400;
const RATE_DEFAULT = 1_000;
const DURATION_S_DEFAULT = 30;
const SEED_MAX = 0xffff_ffff;

class Reader {
  readonly problems: string[] = [];
  readonly #values: RushArguments;

  constructor(values: RushArguments) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  integer(name: string, low: number, high: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number.parseInt(text, 10) : Number.NaN;
    if (value >= low && value <= high) return value;
    this.problems.push(`--${name} must be a whole number from ${low} to ${high}, not ${text}`);
    return undefined;
  }

  oneOf<T extends string>(name: string, allowed: readonly [T, ...T[]]): T {
    const text = this.text(name) ?? allowed[0];
    const value = allowed.find((one) => one === text);
    if (value === undefined) this.problems.push(`--${name} must be ${allowed.join(' or ')}, not ${text}`);
    return value ?? allowed[0];
  }
}

function localUrl(config: Config): string {
  const anyAddress = config.host === '0.0.0.0' || config.host === '::';
  const host = anyAddress ? '127.0.0.1' : config.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${config.port}`;
}

/** The run's settings, or every problem with the arguments. */
export function rushOptions(args: RushArguments, config: Config): Result<RushOptions, readonly string[]> {
  const read = new Reader(args);
  const rate = read.integer('rate', 0, RATE_MAX) ?? RATE_DEFAULT;
  const duration = read.integer('duration', 1, DURATION_S_MAX);
  const cap = read.integer('attempts', 1, RUSH_ATTEMPTS_MAX);
  const address = parseAddress(read.text('url') ?? localUrl(config));
  if (!address.ok) read.problems.push(address.error);
  const round = read.text('round');
  if (round !== undefined && !ROUND_ID_PATTERN.test(round))
    read.problems.push(`${round} is not the id of a round`);
  const amountMin = read.integer('amount-min', 1, AMOUNT_MINOR_MAX);
  const amountMax = read.integer('amount-max', amountMin ?? 1, AMOUNT_MINOR_MAX);
  const { durationS, attempts } = extent(rate, duration, cap);
  if (attempts > RUSH_ATTEMPTS_MAX)
    read.problems.push(`${attempts} attempts are more than ${RUSH_ATTEMPTS_MAX}`);
  const rest = {
    adminUrl: read.text('admin-url') ?? config.adminUrl,
    ledgerUrl: read.text('ledger-url') ?? config.ledgerUrl,
    investors: read.integer('investors', 1, RUSH_INVESTORS_MAX) ?? 10_000,
    connections: read.integer('connections', 1, RUSH_CONNECTIONS_MAX) ?? 128,
    transport: read.oneOf('transport', ['http', 'ws', 'mixed']),
    format: read.oneOf('format', ['json', 'msgpack']),
    curve: read.oneOf('curve', ['flat', 'bell']),
    duplicatesPercent: read.integer('duplicates', 0, 100) ?? 0,
    poorPercent: read.integer('poor', 0, 100) ?? 0,
    seed: read.integer('seed', 0, SEED_MAX) ?? randomInt(SEED_MAX),
    importInvestors: args['no-import'] !== true,
    answersFile: read.text('answers'),
  };
  if (read.problems.length > 0 || !address.ok) return err(read.problems);
  return ok({ ...rest, address: address.value, round, rate, durationS, attempts, amountMin, amountMax });
}

/** How long and how many: either alone follows from the rate; without a rate, whichever ends first. */
function extent(
  rate: number,
  duration: number | undefined,
  attempts: number | undefined,
): { durationS: number; attempts: number } {
  if (rate === 0) {
    const untilDone = attempts === undefined ? DURATION_S_DEFAULT : Number.POSITIVE_INFINITY;
    return { durationS: duration ?? untilDone, attempts: attempts ?? RUSH_ATTEMPTS_MAX };
  }
  if (duration === undefined && attempts !== undefined) return { durationS: attempts / rate, attempts };
  const durationS = duration ?? DURATION_S_DEFAULT;
  const planned = rate * durationS;
  if (attempts === undefined || attempts >= planned) return { durationS, attempts: planned };
  return { durationS: attempts / rate, attempts };
}
