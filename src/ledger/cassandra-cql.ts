// Requests to Cassandra as the ledger makes them: which consistency, how many at a time, and what an error means.
// Reads and writes of tables need a majority; what has to be in one order for everybody is serial.

import { type Client, errors, types } from 'cassandra-driver';
import { assert } from '../core/assert.js';
import { CASSANDRA_PAGE_ROWS, LEDGER_CQL_IN_FLIGHT } from '../core/limits.js';

/** One statement and its parameters. */
export interface Statement {
  readonly query: string;
  readonly params: readonly unknown[];
}

/** Statements for one partition: they happen together. */
export type PartitionWrite = readonly Statement[];

const { consistencies } = types;
const MAJORITY = { prepare: true, isIdempotent: true, consistency: consistencies.quorum };

export class Cql {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** All rows of a short answer: of all its pages, for an answer ends with the page that the client is set to. */
  async rows(query: string, params: readonly unknown[]): Promise<readonly types.Row[]> {
    const rows: types.Row[] = [];
    for await (const row of this.stream(query, params, CASSANDRA_PAGE_ROWS)) rows.push(row);
    return rows;
  }

  /** Rows of an answer of any length, a page at a time. */
  async *stream(query: string, params: readonly unknown[], pageRows: number): AsyncGenerator<types.Row> {
    let pageState: string | undefined;
    do {
      const options = { ...MAJORITY, fetchSize: pageRows, ...(pageState === undefined ? {} : { pageState }) };
      const page = await this.#client.execute(query, [...params], options);
      yield* page.rows;
      pageState = page.pageState;
    } while (pageState !== undefined && pageState !== null);
  }

  /** Rows of one partition as they are in the one order of its lightweight transactions. */
  async serialRows(query: string, params: readonly unknown[]): Promise<readonly types.Row[]> {
    const options = { prepare: true, isIdempotent: true, consistency: consistencies.serial };
    return (await this.#client.execute(query, [...params], options)).rows;
  }

  /** An INSERT … IF NOT EXISTS: null when it was made, else the row that is there. After a throw it is unknown. */
  async insertIfAbsent({ query, params }: Statement): Promise<types.Row | null> {
    const result = await this.#client.execute(query, [...params], {
      prepare: true,
      consistency: consistencies.quorum,
      serialConsistency: consistencies.serial,
    });
    return result.wasApplied() ? null : result.first();
  }

  /** Writes all, in any order, with this timestamp. After a throw some are made; the same ones may be made again. */
  async write(writes: readonly PartitionWrite[], timestamp: number): Promise<void> {
    const options = { ...MAJORITY, timestamp, logged: false };
    await inFlight(writes, async (statements) => {
      const [only, ...more] = statements;
      assert(only !== undefined, 'a write has a statement');
      if (more.length === 0) await this.#client.execute(only.query, [...only.params], options);
      else
        await this.#client.batch(
          statements.map(({ query, params }) => ({ query, params: [...params] })),
          options,
        );
    });
  }
}

/** Runs `work` for each item, some at a time; throws the first error when all that was begun has ended. */
export async function inFlight<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const item = items[next++] as T;
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(LEDGER_CQL_IN_FLIGHT, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}

const { responseErrorCodes } = types;
/** Answers that will be the same later: the request, the tables or the rights are not what they should be. */
const REFUSALS: readonly number[] = [
  responseErrorCodes.syntaxError,
  responseErrorCodes.unauthorized,
  responseErrorCodes.invalid,
  responseErrorCodes.configError,
];

/** True for what a network or a server may say on any day: the same again, later. */
export function isAway(error: unknown): boolean {
  if (error instanceof errors.ResponseError) return !REFUSALS.includes(error.code);
  if (error instanceof errors.DriverError) return !(error instanceof errors.ArgumentError);
  // An error of a socket, as the system gives it.
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
}

/** A bigint column, which holds only what a number can. */
export function exact(value: unknown): number {
  const number = value instanceof types.Long ? value.toNumber() : value;
  assert(Number.isSafeInteger(number), 'a number of the books must be exact');
  return number as number;
}
