// Money: integers of a currency's minor unit, at most 2^53-1, with an ISO 4217 code. Never a float.

export const AMOUNT_MINOR_MAX = Number.MAX_SAFE_INTEGER;

/** True for a positive amount of minor units. */
export function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

/** True for a balance: zero or more minor units. */
export function isBalance(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** True for an alphabetic ISO 4217 code that this runtime knows. */
export function isCurrency(value: unknown): value is string {
  return typeof value === 'string' && CURRENCIES.has(value);
}

/** Packs a three-letter code so that currencies compare as integers; no code packs to 0. */
export function packCurrency(code: string): number {
  return (code.charCodeAt(0) << 16) | (code.charCodeAt(1) << 8) | code.charCodeAt(2);
}

/** The code that was packed. */
export function currencyText(packed: number): string {
  return String.fromCharCode(packed >>> 16, (packed >>> 8) & 255, packed & 255);
}
