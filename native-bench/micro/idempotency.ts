// Micro suite: what a shard asks about a key before it decides, from memory and from LMDB.

import { must } from '../../src/core/assert.js';
import { InvestorName } from '../../src/core/investor.js';
import { VERDICT_CODES, type VerdictRow } from '../../src/core/rows.js';
import { Span } from '../../src/core/span.js';
import { RecentRows } from '../../src/workers/recent-rows.js';
import { Standing } from '../../src/workers/standing.js';
import { BenchIndex } from './bench-index.js';
import { investor, ROUND, times, verdictRow } from './samples.js';
import type { Case, Suite } from './suite.js';

/** Investors come in the order of their numbers, which is none by name. */
function asking(
  name: string,
  operations: number,
  standing: Standing,
  index: BenchIndex,
  rows: readonly VerdictRow[],
  found: boolean,
): Case {
  const investor = new InvestorName();
  const key = new Span();
  let next = 0;
  return {
    name,
    operations,
    run: () => {
      for (let i = 0; i < operations; i++) {
        const row = rows[next]!;
        investor.takeText(row.investor);
        key.setText(row.key);
        standing.read(investor, ROUND.number, key);
        const isIndexed =
          standing.indexedAttempts > 0 && index.db.getSequenceByKey(ROUND.number, row.investor, row.key) > 0;
        if ((standing.keyRow >= 0 || isIndexed) !== found)
          throw new Error(`the verdict of ${row.investor} is not as it was`);
        next = (next + 1) % rows.length;
      }
      return undefined;
    },
  };
}

export const IDEMPOTENCY: Suite = {
  name: 'idempotency',
  about: 'One look-up of an investor and of the verdict that their key has, if any.',
  prepare: ({ dir, size }) => {
    const known = size(100_000, 400);
    const operations = size(500, 50);
    const index = new BenchIndex(dir);
    for (let done = 0; done < known; done += size(20_000, 200))
      index.apply(index.nextRows(size(20_000, 200)));
    const indexed = times(known, (i) => verdictRow(i, 2 + i));
    const unknown = times(known, (i) => verdictRow(known + i, 2 + known + i));
    const recent = new RecentRows();
    const currencyOf = () => 0;
    const name = new InvestorName();
    const key = new Span();
    recent.open();
    for (const { at, round, amount, ...row } of unknown.slice(0, size(2_000, 100))) {
      name.takeText(row.investor);
      key.setText(row.key);
      recent.addVerdict(at, round, VERDICT_CODES.accepted, amount, 0, name, key);
    }
    recent.committed(2 + known);
    must(index.db.getInvestor(investor(0)), 'the first investor');
    const remembering = new Standing(index.db, recent, currencyOf);
    const forgetful = new Standing(index.db, new RecentRows(), currencyOf);
    return {
      cases: [
        asking('memory, key found', operations, remembering, index, unknown.slice(0, recent.size), true),
        asking('LMDB, investor never seen', operations, forgetful, index, unknown, false),
        asking('LMDB, key found', operations, forgetful, index, indexed, true),
      ],
      close: () => index.close(),
    };
  },
};
