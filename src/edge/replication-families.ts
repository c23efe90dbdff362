// The metrics of the rows in Cassandra; absent in a node without it.

import type { Family } from './metric-families.js';
import type { ReplicationStats } from './replication.js';

const of = (
  type: 'gauge' | 'counter',
  name: string,
  help: string,
  value: (rows: ReplicationStats) => number,
): Family => ({
  name: `openbell_rows_${name}`,
  help,
  type,
  read: (from) => {
    const rows = from.replication();
    return rows === null ? [] : [{ labels: {}, value: value(rows) }];
  },
});

/** Of the rows by round, and by investor. */
const perTable = (
  name: string,
  help: string,
  values: (rows: ReplicationStats) => readonly [number, number],
): Family => ({
  name: `openbell_rows_${name}`,
  help,
  type: 'counter',
  read: (from) => {
    const rows = from.replication();
    if (rows === null) return [];
    const [byRound, byInvestor] = values(rows);
    return [
      { labels: { table: 'by_round' }, value: byRound },
      { labels: { table: 'by_investor' }, value: byInvestor },
    ];
  },
});

export const ROW_FAMILIES: readonly Family[] = [
  of(
    'gauge',
    'replicated_sequence',
    'Newest row up to which all are in Cassandra, at LOCAL_QUORUM.',
    (rows) => rows.replicated,
  ),
  of(
    'gauge',
    'by_investor_sequence',
    'The same of the view by investor, which is behind on purpose.',
    (rows) => rows.investors,
  ),
  of('gauge', 'lag_rows', 'Durable rows that are not in Cassandra yet.', (rows) => rows.lagRows),
  of('gauge', 'lag_seconds', 'Age of the oldest of them; 0 when there is none.', (rows) => rows.lagS),
  of('gauge', 'in_flight', 'Rows on their way to Cassandra.', (rows) => rows.rowsInFlight),
  perTable('written_total', 'Rows written to Cassandra, by table.', (rows) => [rows.rows, rows.investorRows]),
  perTable('batches_total', 'Batches written to Cassandra, by table.', (rows) => [
    rows.batches,
    rows.investorBatches,
  ]),
  of(
    'counter',
    'retries_total',
    'Requests to Cassandra that failed and were tried again.',
    (rows) => rows.retries,
  ),
  of(
    'gauge',
    'replies_held',
    'Batches of replies that wait for their rows to be in Cassandra (acknowledgement replicated).',
    (rows) => rows.repliesHeld,
  ),
  of(
    'counter',
    'replies_late_total',
    'Batches of replies that waited in vain: they were told not-durable.',
    (rows) => rows.repliesLate,
  ),
];
