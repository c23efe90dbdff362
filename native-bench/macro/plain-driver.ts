// What the driver writes by itself: the statements of a node's rows, in batches of a given size, as many at a time as the
// node has, and nothing else.

import { investmentId } from '../../src/core/ids.js';
import { CASSANDRA_BATCHES_IN_FLIGHT } from '../../src/core/limits.js';
import type { VerdictRow } from '../../src/core/rows.js';
import { cassandraClient, endClient } from '../../src/engines/cassandra/client.js';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { investorBatches, roundBatches, type Statement } from '../../src/engines/cassandra/row-statements.js';
import type { InvestorRowEntry } from '../../src/engines/rows.js';
import { AMOUNT, ROUND } from './ratios/ratio.js';
import { recordInvestor, requestKey } from './request-file.js';

/** Rows of a mean batch, by table. */
export interface BatchSizes {
  readonly byRound: number;
  readonly byInvestor: number;
}

const CLUSTER = 'plain';
const JOURNAL_ID = 'plaindrv';

export class PlainDriver {
  readonly #client: ReturnType<typeof cassandraClient>;
  #nextSequence = 1;

  constructor(options: CassandraOptions) {
    this.#client = cassandraClient(options, 'rows');
  }

  /** Writes so many rows into both tables and answers how many that was a second. */
  async write(rows: number, { byRound, byInvestor }: BatchSizes): Promise<number> {
    const entries = Array.from({ length: rows }, () => this.#entry());
    const batches = [
      ...ofSize(roundBatches(CLUSTER, entries), byRound),
      ...ofSize(investorBatches(CLUSTER, entries), byInvestor),
    ];
    const begunMs = performance.now();
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < batches.length) await this.#send(batches[next++]!);
    };
    await Promise.all(Array.from({ length: CASSANDRA_BATCHES_IN_FLIGHT }, lane));
    return (rows * 1_000) / (performance.now() - begunMs);
  }

  async close(): Promise<void> {
    await endClient(this.#client);
  }

  async #send(batch: readonly Statement[]): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined)
      await this.#client.execute(only.query, [...only.params], { prepare: true });
    else
      await this.#client.batch(
        batch.map(({ query, params }) => ({ query, params: [...params] })),
        { prepare: true, logged: false },
      );
  }

  #entry(): InvestorRowEntry {
    const sequence = this.#nextSequence++;
    const row: VerdictRow = {
      kind: 'verdict',
      sequence,
      at: 1_795_000_000_000 + sequence,
      round: 1,
      investor: recordInvestor(CLUSTER, sequence),
      key: requestKey(CLUSTER, sequence),
      verdict: 'accepted',
      amount: AMOUNT,
      extra: 0,
    };
    return { row, epoch: 1, round: ROUND, investment: investmentId(JOURNAL_ID, sequence) };
  }
}

/** The same statements in smaller batches, of this size in the mean: each is still of one partition. */
function ofSize(batches: readonly Statement[][], mean: number): Statement[][] {
  const cut: Statement[][] = [];
  let owed = 0;
  for (const batch of batches) {
    let from = 0;
    while (from < batch.length) {
      owed += mean;
      const size = Math.max(1, Math.round(owed));
      owed -= size;
      cut.push(batch.slice(from, from + size));
      from += size;
    }
  }
  return cut;
}
