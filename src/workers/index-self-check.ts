// Reads the whole index: adds its rows up again and compares with totals and outbox, and decodes every investor.
//
// It runs in the indexer's thread, where nothing changes meanwhile, and reads in pieces, so that no read snapshot
// holds old pages back for long.

import { STICKY_VERDICTS } from '../core/rows.js';
import { type IndexDb, SEQUENCE_MAX } from './index-db.js';
import { emptyTotals, type IndexedRow, type RoundTotals } from './index-records.js';
import { rowIn, sequencesOf } from './index-rows.js';
import type { SelfCheck } from './indexer-protocol.js';

const BLOCKS_PER_READ = 1_000;
const NAMES_PER_READ = 10_000;
const FIELDS = ['admitted', 'investors', 'settled', 'settledCount', 'declined', 'declinedCount'] as const;

/** Compares what the rows add up to with what is stored beside them. */
export function selfCheck(db: IndexDb): SelfCheck {
  const sums = new Map<number, RoundTotals>();
  let rows = 0;
  let open = 0;
  // Ends with the table: each turn starts behind the one before.
  for (let after = -1; ; ) {
    const blocks = [...db.rows.getRange({ start: after + 1, end: SEQUENCE_MAX, limit: BLOCKS_PER_READ })];
    for (const { key, value } of blocks) {
      for (const sequence of sequencesOf(value, key)) {
        open += addRow(rowIn(value, value.length, sequence), sums);
        rows++;
      }
    }
    db.refresh();
    after = blocks.at(-1)?.key ?? after;
    if (blocks.length < BLOCKS_PER_READ) break;
  }
  let live = 0;
  for (const { investors } of sums.values()) live += investors;
  const differences: string[] = [];
  const compare = (what: string, stored: number, sum: number) => {
    if (stored !== sum) differences.push(`${what} is ${stored}, its rows make ${sum}`);
  };
  for (const { definition, totals } of db.readRounds()) {
    const sum = sums.get(definition.number) ?? emptyTotals();
    for (const field of FIELDS) compare(`${field} of ${definition.id}`, totals[field], sum[field]);
    for (const name of STICKY_VERDICTS) {
      compare(`${name} of ${definition.id}`, totals.verdicts[name], sum.verdicts[name]);
    }
    sums.delete(definition.number);
  }
  for (const number of sums.keys()) differences.push(`rows are of round ${number}, which there is not`);
  compare('the outbox', db.outboxCount(), open);
  compare('what investors hold live', liveOfInvestors(db), live);
  return { rows, differences };
}

/** Live investments by the investors' own records. */
function liveOfInvestors(db: IndexDb): number {
  let live = 0;
  // Ends with the table: each turn starts behind the one before.
  for (let from = '\0'; ; ) {
    const names = [...db.investors.getKeys({ start: from, end: '\xff', limit: NAMES_PER_READ })];
    for (const name of names) {
      for (const part of db.getInvestor(name)?.rounds ?? []) if (part.live !== 0) live++;
    }
    db.refresh();
    if (names.length < NAMES_PER_READ) return live;
    from = `${names.at(-1)}\0`;
  }
}

/** Adds a row to its round's sums; 1 if it awaits its outcome. */
function addRow(row: IndexedRow | undefined, sums: Map<number, RoundTotals>): number {
  if (row === undefined) return 0;
  let totals = sums.get(row.round);
  if (totals === undefined) {
    totals = emptyTotals();
    sums.set(row.round, totals);
  }
  totals.verdicts[row.verdict]++;
  if (row.state === 'accepted' || row.state === 'settled') {
    totals.admitted += row.amount;
    totals.investors++;
  }
  if (row.state === 'settled') {
    totals.settled += row.amount;
    totals.settledCount++;
  }
  if (row.state === 'declined') {
    totals.declined += row.amount;
    totals.declinedCount++;
  }
  return row.state === 'accepted' ? 1 : 0;
}
