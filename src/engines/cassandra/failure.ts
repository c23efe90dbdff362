// What the driver throws, told apart: what may pass by itself, and what somebody has to mend.

import { errors } from 'cassandra-driver';
import type { RowsFailure } from '../rows.js';
import { ColumnError } from './column.js';

/** Codes of the native protocol for what the server would not do, however often it is asked. */
const REFUSALS = new Map([
  [0x0100, 'the credentials are wrong'],
  [0x2000, 'it does not understand the statement'],
  [0x2100, 'the role may not do that'],
  [0x2200, 'it does not take the statement'],
  [0x2300, 'its configuration does not allow it'],
]);

/** The failure behind an error of the driver. Anything that is not the driver's is the program's mistake: thrown on. */
export function rowsFailure(error: unknown): RowsFailure {
  if (error instanceof errors.NoHostAvailableError) return noHost(error);
  if (error instanceof errors.AuthenticationError || error instanceof ColumnError)
    return { code: 'refused', message: error.message };
  if (error instanceof errors.ResponseError) {
    const why = REFUSALS.get(error.code);
    if (why !== undefined) return { code: 'refused', message: `${why}: ${error.message}` };
  }
  if (error instanceof errors.DriverError || isSystemError(error) || isWithoutConnection(error))
    return { code: 'unavailable', message: error.message };
  throw error;
}

/** Of several hosts the first one that says more than that it is down. */
function noHost(error: errors.NoHostAvailableError): RowsFailure {
  const inner = Object.entries((error.innerErrors ?? {}) as Record<string, unknown>);
  for (const [host, one] of inner) {
    if (one instanceof errors.AuthenticationError)
      return { code: 'refused', message: `${host}: ${one.message}` };
  }
  const [first] = inner;
  const detail = first === undefined ? error.message : `${first[0]}: ${textOf(first[1])}`;
  return { code: 'unavailable', message: `no host answers (${detail})` };
}

function textOf(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}

/** ECONNREFUSED and its like, which the driver passes on from the socket. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
}

/** A host whose connections have just been closed; the driver has no class for it where it prepares a statement. */
function isWithoutConnection(error: unknown): error is Error {
  return error instanceof Error && error.message === 'No connection available';
}
