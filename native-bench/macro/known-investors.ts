// Makes investors of a request file known to an edge, with enough money, in large requests.

import { adminCall } from '../../test/harness/node-process.js';
import { AMOUNT, LABEL } from './ratios/ratio.js';
import { recordInvestor } from './request-file.js';

const LINES_PER_REQUEST = 20_000;

/** Those of the records from `first` up to, but not including, `end`. */
export async function importKnown(adminUrl: string, first: number, end: number): Promise<void> {
  for (let start = first; start < end; start += LINES_PER_REQUEST) {
    const count = Math.min(LINES_PER_REQUEST, end - start);
    const lines = Array.from(
      { length: count },
      (_, i) => `${recordInvestor(LABEL, start + i)},${AMOUNT},GBP,true\n`,
    );
    const text = `investor,balance,currency,eligible\n${lines.join('')}`;
    await adminCall(`${adminUrl}/admin/v1/investors`, 'POST', { type: 'text/csv', text });
  }
}
