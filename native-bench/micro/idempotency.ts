// Micro suite: what a shard asks about a key before it decides, from memory and from LMDB.

import { must } from '../../src/core/assert.js';
import type { VerdictRow } from '../../src/core/rows.js';
import { earlierVerdict } from '../../src/workers/investment-reads.js';
import { InvestorCache } from '../../src/workers/investor-cache.js';
import { BenchIndex } from './bench-index.js';
import { investor, ROUND, times, verdictRow } from './samples.js';
import type { Case, Suite } from './suite.js';

/** Investors come in the order of their numbers, which is none by name. */
function asking(
  name: string,
  operations: number,
  cacheOf: () => InvestorCache,
  index: BenchIndex,
  rows: readonly VerdictRow[],
  found: boolean,
): Case {
  let cache = cacheOf();
  let next = 0;
  return {
    name,
    operations,
    before: () => {
      cache = cacheOf();
    },
    run: () => {
      for (let i = 0; i < operations; i++) {
        const row = rows[next]!;
        const state = cache.get(row.investor);
        const earlier = earlierVerdict(index.db, state, ROUND.number, row.investor, row.key);
        if ((earlier !== null) !== found) throw new Error(`the verdict of ${row.investor} is not as it was`);
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
    const recent = new InvestorCache(index.db);
    for (const row of unknown) {
      const state = recent.get(row.investor);
      state.enter(ROUND.number).attempts++;
      state.remember(row);
    }
    must(index.db.getInvestor(investor(0)), 'the first investor');
    const empty = () => new InvestorCache(index.db);
    return {
      cases: [
        asking('memory, key found', operations, () => recent, index, unknown, true),
        asking('LMDB, investor never seen', operations, empty, index, unknown, false),
        asking('LMDB, key found', operations, empty, index, indexed, true),
      ],
      close: () => index.close(),
    };
  },
};
