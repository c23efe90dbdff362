// Micro suite: rows to journal bytes and back, frames, and answers to their bytes.

import { InvestmentIds, ownLineage } from '../../src/core/ids.js';
import { InvestorName } from '../../src/core/investor.js';
import { encodeRow, forEachRow } from '../../src/core/row-codec.js';
import { VERDICT_CODES, type VerdictRow } from '../../src/core/rows.js';
import { Span } from '../../src/core/span.js';
import { AnswerWriter } from '../../src/workers/answer-writer.js';
import { FrameBuilder } from '../../src/workers/journal-frame.js';
import { RecentRows } from '../../src/workers/recent-rows.js';
import type { ReplyForm } from '../../src/workers/reply.js';
import { VerdictWriter } from '../../src/workers/verdict-writer.js';
import { AT_MS, JOURNAL_ID, ROUND, times, verdictRow } from './samples.js';
import type { Case, Suite } from './suite.js';

/** Rows of a frame and answers of a batch: what a busy node has. */
const ROWS = 100;
const FIRST_SEQUENCE = 1_234_567;

function rowCases(rows: readonly VerdictRow[]): Case[] {
  const buffer = Buffer.alloc(65_536);
  let end = 0;
  const encode = () => {
    end = 0;
    for (const row of rows) end = encodeRow(buffer, end, row);
    return undefined;
  };
  encode();
  const decode = () => {
    let amount = 0;
    const read = forEachRow(buffer.subarray(0, end), FIRST_SEQUENCE, ROWS, (row) => {
      if (row.kind === 'verdict') amount += row.amount;
    });
    if (!read.ok || amount === 0) throw new Error('the rows were not read');
    return undefined;
  };
  const frame = new FrameBuilder();
  for (const row of rows) frame.add(row);
  return [
    { name: 'row to bytes', operations: ROWS, run: encode },
    { name: 'bytes to row', operations: ROWS, run: decode },
    {
      name: `frame of ${ROWS} rows sealed, a row of it`,
      operations: ROWS,
      run: () => {
        if (frame.seal(1, FIRST_SEQUENCE, 1, FIRST_SEQUENCE - 1, AT_MS) === 0)
          throw new Error('a frame without a checksum');
        return undefined;
      },
    },
  ];
}

/** Answers to rows of a frame that has just been committed. */
function answerCase(name: string, rows: RecentRows, form: ReplyForm): Case {
  const verdicts = new VerdictWriter(new InvestmentIds(ownLineage(JOURNAL_ID)));
  const memory = Buffer.alloc(262_144);
  const out = new AnswerWriter();
  return {
    name,
    operations: ROWS,
    run: () => {
      out.open(memory);
      for (let row = 0; row < ROWS; row++) verdicts.writeRecent(out, form, ROUND, rows, row, false);
      if (out.overflow !== null) throw new Error('the answers outgrew their memory');
      return undefined;
    },
  };
}

/** A committed frame of these verdicts. */
function recentRows(rows: readonly VerdictRow[]): RecentRows {
  const recent = new RecentRows();
  const investor = new InvestorName();
  const key = new Span();
  recent.open();
  for (const { at, round, verdict, amount, extra, ...row } of rows) {
    investor.takeText(row.investor);
    key.setText(row.key);
    recent.addVerdict(at, round, VERDICT_CODES[verdict], amount, extra, investor, key);
  }
  recent.committed(FIRST_SEQUENCE);
  return recent;
}

export const CODEC: Suite = {
  name: 'codec',
  about: 'One row of the journal, or one answer with its status line, headers and body.',
  prepare: () => {
    const rows = times(ROWS, (index) => verdictRow(index, FIRST_SEQUENCE + index));
    const refused = rows.map((row): VerdictRow => ({ ...row, verdict: 'round-full', extra: 1 }));
    const accepted = recentRows(rows);
    const full = recentRows(refused);
    return {
      cases: [
        ...rowCases(rows),
        answerCase('answer 201, JSON', accepted, { live: false, msgpack: false }),
        answerCase('answer 201, MessagePack', accepted, { live: false, msgpack: true }),
        answerCase('answer round-full, JSON', full, { live: false, msgpack: false }),
        answerCase('live verdict, JSON', accepted, { live: true, msgpack: false }),
        answerCase('live verdict, MessagePack', accepted, { live: true, msgpack: true }),
      ],
    };
  },
};
