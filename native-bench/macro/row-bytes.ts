// The bytes of a journal row of a request file's record.

import { ROW_TEXT_AT } from '../../src/core/row-layout.js';
import { requestOptions } from './bench-context.js';
import { LABEL } from './ratios/ratio.js';
import { record, recordInvestor } from './request-file.js';

/** What all verdicts have, the investor, the key. */
export function rowBytes(): number {
  const request = record({ ...requestOptions(''), records: 1 }, 0);
  const key = /^Idempotency-Key: (\S+)$/m.exec(request)?.[1] ?? '';
  return ROW_TEXT_AT.verdict + recordInvestor(LABEL, 0).length + key.length;
}
