// A frame that is whole, and of the right sequence, but follows another frame than the one that is there: what is left
// of an earlier end of the journal in the same place. Only the checksum of the frame before tells it apart.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  openJournal,
  patch,
  peek,
  recover,
  snapshot,
  temporaryDirectory,
  verdictRow,
} from './journal-fixture.js';

test('a frame of an earlier end of the journal is not served after another beginning', () => {
  const earlier = openJournal(temporaryDirectory());
  const { dir } = earlier;
  try {
    const putBack = snapshot(dir);
    earlier.append(verdictRow('before-a'));
    earlier.append(verdictRow('before-b'));
    earlier.writer.close();
    const second = recover(dir).frames[1] ?? assert.fail('two frames');
    const remains = Buffer.from(peek(dir, second.segment, second.offset, second.bytes));

    putBack();
    const now = openJournal(dir);
    now.append(verdictRow('after-a')); // as long as what was there
    now.writer.close();
    patch(dir, second.segment, second.offset, remains);

    const { rows } = recover(dir);
    assert.deepEqual(
      rows.map((row) => (row.kind === 'verdict' ? row.investor : row.kind)),
      ['after-a'],
    );
  } finally {
    earlier.remove();
  }
});
