// Columns of a row that the driver has read, as values of ours. What is not what the schema says is thrown at: it was
// written by somebody else, or by nobody. Whoever reads a row catches `ColumnError` and says which row it was.

import { types } from 'cassandra-driver';

/** A column that holds something else than it should. */
export class ColumnError extends Error {
  override readonly name = 'ColumnError';
}

/** A bigint column as an integer that a number holds exactly. */
export function integerOf(row: types.Row, column: string): number {
  const value: unknown = row[column];
  const number = types.Long.isLong(value) ? value.toNumber() : value;
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
  throw new ColumnError(`${column} is ${value === null ? 'missing' : String(value)}`);
}

export function textOf(row: types.Row, column: string): string {
  const value: unknown = row[column];
  if (typeof value === 'string') return value;
  throw new ColumnError(`${column} is missing`);
}

/** Milliseconds since the epoch. */
export function timeOf(row: types.Row, column: string): number {
  const value: unknown = row[column];
  if (value instanceof Date && Number.isFinite(value.getTime())) return value.getTime();
  throw new ColumnError(`${column} is missing`);
}

export function flagOf(row: types.Row, column: string): boolean {
  const value: unknown = row[column];
  if (typeof value === 'boolean') return value;
  throw new ColumnError(`${column} is missing`);
}
