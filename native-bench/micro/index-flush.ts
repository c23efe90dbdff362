// Micro suite: workers/index-apply.ts, a batch of verdicts of random investors into LMDB, flushed.

import type { VerdictRow } from '../../src/core/rows.js';
import { BenchIndex } from './bench-index.js';
import type { Suite } from './suite.js';

export const INDEX_FLUSH: Suite = {
  name: 'index-flush',
  about:
    'One row of a batch that the index takes in one transaction; the investors are new to it, in random order.',
  syncs: true,
  prepare: ({ dir, size }) => {
    const operations = size(10_000, 200);
    const index = new BenchIndex(dir);
    let rows: VerdictRow[] = [];
    return {
      cases: [
        {
          name: `batch of ${operations}`,
          operations,
          before: () => {
            rows = index.nextRows(operations);
          },
          run: () => {
            index.apply(rows);
            return undefined;
          },
        },
      ],
      close: () => index.close(),
    };
  },
};
