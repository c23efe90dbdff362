// The answer to an accepted investment: byte for byte what the view says, in every form, first and replayed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { InvestmentIds } from '../../src/core/ids.js';
import { acceptedObject } from '../../src/core/investment-view.js';
import type { RoundDefinition } from '../../src/core/round.js';
import { Span } from '../../src/core/span.js';
import { AnswerCursor } from '../../src/edge/answer-cursor.js';
import { AcceptedWriter } from '../../src/workers/accepted-writer.js';
import { AnswerWriter } from '../../src/workers/answer-writer.js';
import { FORMS } from '../../src/workers/reply.js';

/** A journal that was built again once: older rows keep their ids. */
const IDS = new InvestmentIds([
  { journalId: 'first000', firstSequence: 1 },
  { journalId: 'k3v9x2ab', firstSequence: 1_000_000 },
]);
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
const round: RoundDefinition = {
  ...{ number: 3, id: 'a-round-with-a-name-of-forty-characters-', name: 'Round', currency: 'GBP' },
  ...{
    cap: 1,
    minimum: 1,
    maximum: 1,
    opensAt: null,
    closesAt: null,
    unknownBalance: 'allow',
    state: 'open',
  },
};

function span(text: string): Span {
  const made = new Span();
  made.setText(text);
  return made;
}

const investors = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
  minLength: 1,
  maxLength: 128,
});
const keys = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

test('every form tells the same investment', () => {
  const writer = new AcceptedWriter(IDS);
  const memory = Buffer.alloc(4_096);
  fc.assert(
    fc.property(
      ...([
        fc.oneof(fc.integer({ min: 1, max: 2 ** 48 }), fc.integer({ min: 1, max: 2_000_000 })),
        investors,
        keys,
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      ] as const),
      ...([fc.integer({ min: 0, max: 4e12 }), fc.boolean()] as const),
      (sequence, investor, key, amount, at, replayed) => {
        const row = {
          kind: 'verdict',
          sequence,
          at,
          round: 3,
          investor,
          key,
          verdict: 'accepted',
          amount,
          extra: 0,
        } as const;
        const wanted = acceptedObject(IDS, round, row);
        for (const form of FORMS) {
          const out = new AnswerWriter();
          out.open(memory);
          writer.write(out, form, round, sequence, span(investor), span(key), amount, at, replayed);
          const cursor = new AnswerCursor();
          cursor.open(memory);
          cursor.next();
          assert.equal(cursor.status, 201);
          const told = form.msgpack
            ? unpackr.unpack(Buffer.from(cursor.body()))
            : JSON.parse(cursor.bodyText());
          if (form.live) {
            assert.deepEqual(told, { type: 'verdict', key, status: 201, replayed, investment: wanted });
            continue;
          }
          assert.deepEqual(told, wanted);
          if (!form.msgpack) assert.equal(cursor.bodyText(), JSON.stringify(wanted));
          const [line, type, location, ...rest] = cursor.head().split('\r\n');
          assert.deepEqual(
            [line, type, location, rest],
            [
              '201 Created',
              `Content-Type: application/${form.msgpack ? 'msgpack' : 'json'}`,
              `Location: /v1/rounds/${round.id}/investments/${IDS.idOf(sequence)}`,
              replayed ? ['Idempotency-Replayed: true'] : [],
            ],
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});
