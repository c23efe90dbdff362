// A journal and the rows of it in Cassandra, counted and compared from outside: the files are read as they are, the rows by
// plain CQL, partition by partition.

import { join } from 'node:path';
import type { Client, types } from 'cassandra-driver';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import { forEachRow } from '../../src/core/row-codec.js';
import type { OutcomeRow, VerdictRow } from '../../src/core/rows.js';
import { cassandraClient, endClient } from '../../src/engines/cassandra/client.js';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { walkJournal } from '../../src/workers/journal-walk.js';

/** What a journal holds. */
export interface JournalCensus {
  /** All verdicts, by sequence. */
  readonly verdicts: ReadonlyMap<number, VerdictRow>;
  /** All outcomes, by sequence. */
  readonly outcomes: ReadonlyMap<number, OutcomeRow>;
  /** The id of each round by its number. */
  readonly rounds: ReadonlyMap<number, string>;
  readonly lastSequence: number;
}

/** Reads the whole journal of an edge, which may run. Throws when it is damaged. */
export function journalCensus(dataDir: string): JournalCensus {
  const verdicts = new Map<number, VerdictRow>();
  const outcomes = new Map<number, OutcomeRow>();
  const rounds = new Map<number, string>();
  const walk = walkJournal(join(dataDir, 'edge/journal'), Number.POSITIVE_INFINITY);
  let lastSequence = 0;
  let step = walk.next();
  while (!step.done) {
    const { header, payload } = step.value;
    const read = forEachRow(payload, header.firstSequence, header.count, (row) => {
      if (row.kind === 'verdict') verdicts.set(row.sequence, row);
      if (row.kind === 'outcome') outcomes.set(row.sequence, row);
      if (row.kind === 'round') rounds.set(row.definition.number, row.definition.id);
      lastSequence = row.sequence;
    });
    if (!read.ok) throw new Error(read.error);
    step = walk.next();
  }
  if (!step.value.ok) throw new Error(JSON.stringify(step.value.error));
  return { verdicts, outcomes, rounds, lastSequence };
}

/** Every accepted investment of which there is not exactly one outcome, and every outcome of nothing (I5). */
export function outcomeProblems({ verdicts, outcomes }: JournalCensus): string[] {
  const counts = new Map<number, number>();
  for (const { sequence, verdict } of verdicts.values()) if (verdict === 'accepted') counts.set(sequence, 0);
  const problems: string[] = [];
  for (const { sequence, investment } of outcomes.values()) {
    const count = counts.get(investment);
    if (count === undefined) problems.push(`outcome ${sequence} is of ${investment}, which was not accepted`);
    else counts.set(investment, count + 1);
  }
  for (const [sequence, count] of counts)
    if (count !== 1) problems.push(`accepted ${sequence} has ${count} outcomes`);
  return problems;
}

/** Rows of a keyspace, and what of them is not as the journal says. */
export interface RowsCensus {
  readonly verdictRows: number;
  readonly outcomeRows: number;
  readonly problems: readonly string[];
}

/** Reads every partition of `rows_by_round` and holds each row against the journal: one for each, and no other. */
export async function rowsCensus(options: CassandraOptions, census: JournalCensus): Promise<RowsCensus> {
  const client = cassandraClient(options, 'rows');
  try {
    return await countRows(client, census);
  } finally {
    await endClient(client);
  }
}

async function countRows(client: Client, census: JournalCensus): Promise<RowsCensus> {
  const problems: string[] = [];
  const seen = new Set<number>();
  const counts = { verdictRows: 0, outcomeRows: 0 };
  const ids = new Set(census.rounds.values());
  const distinct = await allRows(client, 'SELECT DISTINCT cluster, round, bucket FROM rows_by_round', []);
  for (const { cluster, round, bucket } of distinct) {
    if (!ids.has(String(round))) problems.push(`there are rows of a round ${round}, which is none`);
    const rows = await allRows(
      client,
      'SELECT * FROM rows_by_round WHERE cluster = ? AND round = ? AND bucket = ?',
      [cluster, round, bucket],
    );
    for (const row of rows) {
      const sequence = Number(row['sequence']);
      if (seen.has(sequence)) problems.push(`there are two rows of sequence ${sequence}`);
      seen.add(sequence);
      if (Math.floor(sequence / ROW_BUCKET_SEQUENCES) !== Number(bucket))
        problems.push(`row ${sequence} is in bucket ${bucket}`);
      if (row['verdict'] === null) counts.outcomeRows++;
      else counts.verdictRows++;
      const difference = differenceOf(row, census);
      if (difference !== null) problems.push(`row ${sequence}: ${difference}`);
    }
  }
  for (const rows of [census.verdicts, census.outcomes])
    for (const sequence of rows.keys())
      if (!seen.has(sequence)) problems.push(`row ${sequence} is not in Cassandra`);
  return { ...counts, problems };
}

/** What a row says otherwise than the journal; null: nothing. */
function differenceOf(row: types.Row, { verdicts, outcomes, rounds }: JournalCensus): string | null {
  const sequence = Number(row['sequence']);
  const own = verdicts.get(sequence) ?? outcomes.get(sequence);
  if (own === undefined) return 'not in the journal';
  const { kind, investor, amount } = own;
  const ours: unknown[] = [kind, rounds.get(own.round), investor, amount];
  const theirKind = row['verdict'] === null ? 'outcome' : 'verdict';
  const theirs: unknown[] = [theirKind, row['round'], row['investor'], Number(row['amount'])];
  if (own.kind === 'verdict') {
    ours.push(own.verdict, own.key);
    theirs.push(row['verdict'], row['idempotency_key']);
  } else {
    ours.push(own.investment, own.state);
    theirs.push(Number(row['investment']), row['state']);
  }
  const [mine, other] = [JSON.stringify(ours), JSON.stringify(theirs)];
  return mine === other ? null : `${other} in Cassandra, ${mine} in the journal`;
}

/** All rows of a query, page by page. */
function allRows(client: Client, query: string, params: readonly unknown[]): Promise<types.Row[]> {
  return new Promise((resolve, reject) => {
    const rows: types.Row[] = [];
    const take = (_: number, row: types.Row): void => void rows.push(row);
    const end = (error?: Error | null): void => (error ? reject(error) : resolve(rows));
    client.eachRow(query, [...params], { prepare: true, autoPage: true }, take, end);
  });
}
