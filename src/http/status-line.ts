// The status line of an HTTP response; uWebSockets.js wants it whole.

import { STATUS_CODES } from 'node:http';

const LINES: ReadonlyMap<number, string> = new Map(
  Object.entries(STATUS_CODES).map(([code, reason]) => [Number.parseInt(code, 10), `${code} ${reason}`]),
);

/** For instance "404 Not Found". */
export function statusLine(status: number): string {
  return LINES.get(status) ?? `${status} Unknown`;
}
