// The bytes of a journal row of a request file's record.

import { ROW_TEXT_AT } from '../../src/core/row-layout.js';
import { LABEL } from './ratios/ratio.js';
import { recordInvestor, requestKey } from './request-file.js';

/** What all verdicts have, the investor, the key. */
export function rowBytes(): number {
  return ROW_TEXT_AT.verdict + recordInvestor(LABEL, 0).length + requestKey(LABEL, 0).length;
}
