// An audit of a node, and everything that it has to find: each difference is made once, and must be named.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pino } from 'pino';
import { ownLineage } from '../core/ids.js';
import { AUDIT_LEDGER_PAGE, JOURNAL_SEGMENTS_AHEAD } from '../core/limits.js';
import { err, ok } from '../core/result.js';
import { Findings } from '../workers/audit-findings.js';
import { verdictRow } from '../workers/journal-fixture.js';
import { listSegments } from '../workers/journal-segments.js';
import type { EdgeAuditReport } from './audit-report.js';
import { AuditWorld, type Held, ROUND } from './fake-audit-world.js';
import { UpkeepClient } from './upkeep-client.js';

let world: AuditWorld;
let held: Held[];

beforeEach(async () => {
  world = await AuditWorld.make();
  held = [1, 2, 3, 4, 5, 6].map((n) => world.accept(n * 1000));
  world.settle(held[0]!);
  world.settle(held[1]!, 'declined');
  world.decide(held[2]!);
  await world.indexer.catchUp();
  world.mark();
});
afterEach(() => world.end());

const failed = (report: EdgeAuditReport): string[] =>
  report.checks.filter((check) => !check.ok).map(({ name }) => name);

/** The one difference that there must be. */
async function only(kind: string, name: string): Promise<EdgeAuditReport['differences'][number]> {
  const report = await world.audit();
  assert.deepEqual(
    report.differences.map((difference) => difference.kind),
    [kind],
  );
  assert.deepEqual([report.ok, report.differenceCount, failed(report)], [false, 1, [name]]);
  return report.differences[0]!;
}

describe('an audit finds nothing', () => {
  test('where everything agrees, and counts what waits and what is on its way', async () => {
    const report = await world.audit();
    assert.deepEqual(
      [report.ok, report.differences, report.sequence],
      [true, [], world.head.durableSequence],
    );
    assert.deepEqual(
      report.checks.map(({ name }) => name),
      ['journal', 'index', 'queue', 'counters', 'watermark', 'ledger reachable', 'ledger', 'ledger books'],
    );
    const { rounds, ...counts } = report.totals;
    assert.deepEqual(counts, { accepted: 6, settled: 1, declined: 1, waiting: 3, inTransit: 1 });
    const { admitted, investors, settled, declined } = rounds[0]!;
    assert.deepEqual(
      { admitted, investors, settled, declined },
      { admitted: 19_000, investors: 5, settled: 1000, declined: 2000 },
    );
    const counters = report.checks.find(({ name }) => name === 'counters');
    assert.match(counters?.detail ?? '', /exact/);
  });

  test('where the index lags behind the journal', async () => {
    world.accept();
    world.settle(held[3]!);
    assert.equal((await world.audit()).ok, true);
  });

  test('in an empty journal', async () => {
    await world.end();
    world = await AuditWorld.make();
    const report = await world.audit();
    assert.deepEqual([report.ok, report.sequence, report.totals.accepted], [true, 1, 0]);
  });

  test('where the ledger has outcomes of an earlier journal', async () => {
    world.decide(held[3]!, 'settled', { id: 'otherone-5' });
    const report = await world.audit();
    assert.equal(report.ok, true);
    assert.match(
      report.checks.find(({ name }) => name === 'ledger')?.detail ?? '',
      /1 of them of another journal/,
    );
  });
});

describe('an audit names', () => {
  test('an outcome that the ledger has lost', async () => {
    world.ledger.outcomes.splice(0, 1);
    assert.equal((await only('ledger-missing', 'ledger')).investment, world.id(held[0]!));
  });

  test('another amount at the ledger', async () => {
    world.decide(held[3]!, 'settled', { amount: 4001 });
    const difference = await only('ledger-differs', 'ledger');
    assert.equal(difference.investment, world.id(held[3]!));
    assert.match(difference.detail, /journal has 4000, the ledger 4001/);
  });

  test('another investor at the ledger', async () => {
    world.decide(held[3]!, 'settled', { investor: 'mallory' });
    assert.match((await only('ledger-differs', 'ledger')).detail, /mallory/);
  });

  test('an outcome that is another one in the journal', async () => {
    world.decide(held[3]!, 'declined');
    world.beginOutcome(held[3]!, 'settled');
    const { investment, detail } = await only('ledger-differs', 'ledger');
    assert.equal(investment, world.id(held[3]!));
    assert.match(detail, /the journal has settled, the ledger declined \(insufficient-funds\)/);
  });

  test('an outcome of what was never accepted', async () => {
    const ghost = { sequence: 1, investor: 'ghost', amount: 700 };
    world.decide(ghost);
    assert.equal((await only('ledger-unknown', 'ledger')).investment, world.id(ghost));
  });

  test('two outcomes of one investment', async () => {
    world.decide(held[2]!);
    assert.equal((await only('ledger-twice', 'ledger')).investment, world.id(held[2]!));
  });

  test('an escrow that is not what was settled', async () => {
    world.ledger.wrong.escrow = -1;
    assert.equal((await only('books-escrow', 'ledger books')).round, ROUND.id);
  });

  test('books that do not add up, or not with their outcomes', async () => {
    world.ledger.wrong.entriesSum = 5;
    assert.match((await only('books-sum', 'ledger books')).detail, /sum to 5/);
    world.ledger.wrong.entriesSum = 0;
    world.ledger.wrong.settled = 5;
    assert.match(
      (await only('books-settled', 'ledger books')).detail,
      /4005 in 2 investments, its outcomes make 4000/,
    );
    world.ledger.wrong.settled = 0;
    world.ledger.wrong.faults = [{ invariant: 'I7', detail: 'investor:alice has -3' }];
    assert.match((await only('books-fault', 'ledger books')).detail, /alice has -3 \(I7\)/);
    world.ledger.wrong.faults = [];
    world.ledger.wrong.outcomes = 1;
    assert.match((await only('books-outcomes', 'ledger books')).detail, /counts 4 outcomes and tells 3/);
  });

  test('a counter that is off by one', async () => {
    world.counters.addRoom(ROUND.number, 1);
    assert.match(
      (await only('counters-differ', 'counters')).detail,
      /admitted is 18999 in memory, and 19000/,
    );
    world.counters.addRoom(ROUND.number, -1);
    for (const add of ['addInvestors', 'addSettled', 'addDeclined'] as const) {
      world.counters[add](ROUND.number, 1);
      assert.equal((await only('counters-differ', 'counters')).round, ROUND.id, add);
      world.counters[add](ROUND.number, -1);
    }
  });

  test('a watermark that is ahead, has fallen, or is of another node', async () => {
    const { durableSequence } = world.head;
    world.mark({ sequence: durableSequence + 1 });
    assert.match((await only('watermark-ahead', 'watermark')).detail, /I9/);
    world.mark({ epoch: 4 });
    assert.match((await only('watermark-epoch', 'watermark')).detail, /epoch 4.*under 3/);
    world.mark({ journalId: 'otherone' });
    assert.match((await only('watermark-journal', 'watermark')).detail, /otherone/);
    world.mark();
    world.onPause = async () => world.mark({ sequence: 2 });
    assert.match((await only('watermark-fell', 'watermark')).detail, /fell from sequence \d+ to 2/);
  });

  test('a second verdict for a key', async () => {
    const sequence = world.append(
      verdictRow(held[0]!.investor, { verdict: 'already-invested', extra: held[0]!.sequence }),
    );
    const difference = await only('journal-second-verdict', 'journal');
    assert.equal(difference.investment, world.id({ ...held[0]!, sequence }));
  });

  test('more admitted than the cap', async () => {
    const sequence = world.append(verdictRow('whale', { amount: ROUND.cap }));
    world.counters.addRoom(ROUND.number, -ROUND.cap);
    world.counters.addInvestors(ROUND.number, 1);
    const difference = await only('journal-over-cap', 'journal');
    assert.deepEqual(
      [difference.investment, difference.round],
      [world.id({ ...held[0]!, sequence }), ROUND.id],
    );
  });
});

describe('an audit without the ledger', () => {
  test('fails the check that names it, says what to do, and compares the rest', async () => {
    await world.ledger.stop();
    const url = 'http://127.0.0.1:1';
    const report = await world.audit(undefined, url);
    assert.deepEqual([report.ok, failed(report), report.differences], [false, ['ledger reachable'], []]);
    assert.match(
      report.checks.at(-1)?.detail ?? '',
      /does not answer at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\): start it/,
    );
    assert.deepEqual([report.totals.waiting, report.totals.settled], [4, 1]);
  });

  test('says that its token is not taken, or that something else answers', async () => {
    const refused = await world.audit('some other secret, also long enough for it');
    assert.match(refused.checks.at(-1)?.detail ?? '', /token \(401\): give edge and ledger the same secret/);
    world.ledger.refuses = 404;
    assert.match((await world.audit()).checks.at(-1)?.detail ?? '', /answered 404.*OPENBELL_LEDGER_URL/);
  });

  test('that goes away while it is asked takes nothing for missing', async () => {
    const told = world.ledger.outcomes[0]!;
    const others = Array.from({ length: AUDIT_LEDGER_PAGE }, (_, n) => ({ ...told, id: `otherone-${n}` }));
    world.ledger.outcomes.unshift(...others);
    world.ledger.refuses = 503;
    world.ledger.refusesAfter = 2;
    const report = await world.audit();
    assert.deepEqual([report.differences, failed(report)], [[], ['ledger reachable']]);
    assert.match(report.checks.at(-1)?.detail ?? '', /answered 503/);
    world.ledger.refuses = 0;
    assert.deepEqual(failed(await world.audit()), []);
  });
});

describe('the rows in Cassandra', () => {
  const compared = (findings: Findings, upTo: number) =>
    ok({ findings: findings.all(), upTo, missing: findings.count(), differing: 0, repaired: 0 });

  test('are a check of their own, which says how far they were compared', async () => {
    const asked: boolean[] = [];
    const upTo = world.head.durableSequence - 2;
    world.rows = {
      compare: async (repair) => {
        asked.push(repair);
        return compared(new Findings(), upTo);
      },
    };
    const report = await world.audit();
    const rows = report.checks.find(({ name }) => name === 'rows');
    assert.deepEqual([report.ok, rows?.ok, asked], [true, true, [false]]);
    assert.equal(
      rows?.detail,
      `${upTo} rows in Cassandra, each against the journal, 2 newer ones were on their way`,
    );
  });

  test('are named where one differs', async () => {
    const findings = new Findings();
    findings.add({
      kind: 'rows-missing',
      investment: world.id(held[0]!),
      detail: 'row 2 is not in Cassandra',
    });
    world.rows = { compare: async () => compared(findings, world.head.durableSequence) };
    const difference = await only('rows-missing', 'rows');
    assert.equal(difference.investment, world.id(held[0]!));
  });

  test('fail the audit where they cannot be read', async () => {
    world.rows = { compare: async () => err('no host answers') };
    const report = await world.audit();
    assert.deepEqual([report.ok, report.differenceCount, failed(report)], [false, 0, ['rows']]);
  });
});

describe('the upkeep thread', () => {
  test('audits as a thread of its own', async () => {
    const { journalDir, indexDir, segmentBytes, headMemory } = world;
    const lineage = ownLineage(world.head.journalId);
    const logger = pino({ level: 'silent' });
    const client = new UpkeepClient({ journalDir, indexDir, segmentBytes, lineage, headMemory, logger });
    try {
      world.upkeep = (task) => client.run(task);
      assert.equal((await world.audit()).ok, true);
      world.counters.addRoom(ROUND.number, 1);
      assert.equal((await world.audit()).differenceCount, 1);
    } finally {
      await client.close();
    }
  });

  test('makes segments ahead of need and says so in shared memory', async () => {
    const { journalDir, indexDir, segmentBytes, headMemory, head } = world;
    const lineage = ownLineage(head.journalId);
    const logger = pino({ level: 'silent' });
    const client = new UpkeepClient({ journalDir, indexDir, segmentBytes, lineage, headMemory, logger });
    try {
      client.preallocate();
      client.preallocate();
      // A task behind it: when that is answered, the segments are there.
      assert.deepEqual(await client.run({ kind: 'preallocate' }), { ok: true, value: 0 });
      assert.equal(head.segmentReady, head.segment + JOURNAL_SEGMENTS_AHEAD);
      assert.ok(listSegments(journalDir).includes(head.segmentReady));
    } finally {
      await client.close();
    }
  });
});
