// Micro suite: rows to journal bytes and back, frames, and answers to their bytes.

import { encodeRow, forEachRow } from '../../src/core/row-codec.js';
import type { VerdictRow } from '../../src/core/rows.js';
import { AnswerWriter } from '../../src/workers/answer-writer.js';
import { FrameBuilder } from '../../src/workers/journal-frame.js';
import { Renderer, type Reply } from '../../src/workers/reply.js';
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

function answerCase(name: string, replies: readonly Reply[]): Case {
  const renderer = new Renderer(JOURNAL_ID);
  const memory = new ArrayBuffer(262_144);
  return {
    name,
    operations: replies.length,
    run: () => {
      const out = new AnswerWriter(memory);
      for (const reply of replies) renderer.render(reply, out);
      if (out.memory !== memory) throw new Error('the answers outgrew their memory');
      return undefined;
    },
  };
}

export const CODEC: Suite = {
  name: 'codec',
  about: 'One row of the journal, or one answer with its status line, headers and body.',
  prepare: () => {
    const rows = times(ROWS, (index) => verdictRow(index, FIRST_SEQUENCE + index));
    const refused = rows.map((row): VerdictRow => ({ ...row, verdict: 'round-full', extra: 1 }));
    const replies = (of: readonly VerdictRow[], live: boolean, msgpack: boolean): Reply[] =>
      of.map((row) => ({ kind: 'verdict', form: { live, msgpack }, row, round: ROUND, replayed: false }));
    return {
      cases: [
        ...rowCases(rows),
        answerCase('answer 201, JSON', replies(rows, false, false)),
        answerCase('answer 201, MessagePack', replies(rows, false, true)),
        answerCase('answer round-full, JSON', replies(refused, false, false)),
        answerCase('live verdict, JSON', replies(rows, true, false)),
        answerCase('live verdict, MessagePack', replies(rows, true, true)),
      ],
    };
  },
};
