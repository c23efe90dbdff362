// RFC 3339 times as milliseconds since the epoch, and back: from 1970 to the end of the year 9999.

const PATTERN = /^\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;
const YEAR_10000_MS = 253_402_300_800_000;

/** The time in milliseconds, or null if the text is not an RFC 3339 date-time with an offset that exists. */
export function parseRfc3339Ms(text: string): number | null {
  const upper = text.toUpperCase();
  if (!PATTERN.test(upper)) return null;
  const timeMs = Date.parse(upper);
  if (!(timeMs >= 0 && timeMs < YEAR_10000_MS)) return null;
  // Date.parse lets 30 February run over into March; a day that exists survives the round trip.
  const day = upper.slice(0, 10);
  const dayMs = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(dayMs) || new Date(dayMs).toISOString().slice(0, 10) !== day ? null : timeMs;
}

/** The time in UTC with milliseconds; null stays null. */
export function formatRfc3339(timeMs: number): string;
export function formatRfc3339(timeMs: number | null): string | null;
export function formatRfc3339(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}
