// The checks of the chaos tests, that they can fail: each is given something that is wrong, and has to say so.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutcomeRow, VerdictRow } from '../../src/core/rows.js';
import { type Answer, readAnswer } from '../../src/rush/answer.js';
import { outcomeRow, verdictRow } from '../../src/workers/journal-fixture.js';
import { type JournalCensus, outcomeProblems } from '../engines/census.js';
import { FAULT_KINDS, faultPlan, VICTIMS } from './fault-plan.js';
import { bookProblems, undersellProblems } from './journal-checks.js';
import { Outages } from './outages.js';
import { VerdictBook } from './verdict-book.js';

const ROUND = 'crowd';
const AMOUNT = 500;
const verdict = readAnswer(201, false, { id: 'abcdefgh-1' });
const fenced = readAnswer(503, false, { code: 'fenced' });

/** The rows in their order; sequences are their places. */
function census(...rows: readonly (VerdictRow | OutcomeRow)[]): JournalCensus {
  const numbered = rows.map((row, at) => ({ ...row, sequence: row.sequence || at + 1 }));
  const of = <T extends VerdictRow | OutcomeRow>(kind: T['kind']): Map<number, T> =>
    new Map(numbered.filter((row) => row.kind === kind).map((row) => [row.sequence, row as T]));
  return {
    verdicts: of<VerdictRow>('verdict'),
    outcomes: of<OutcomeRow>('outcome'),
    rounds: new Map([[1, ROUND]]),
    lastSequence: rows.length,
  };
}

test('the same seed gives the same order, another seed another one, and each fault is there as often as asked', () => {
  const plan = faultPlan(7, 5, FAULT_KINDS);
  assert.deepEqual(faultPlan(7, 5, FAULT_KINDS), plan);
  assert.notDeepEqual(faultPlan(8, 5, FAULT_KINDS), plan);
  for (const victim of VICTIMS)
    for (const kind of FAULT_KINDS)
      assert.equal(plan.filter((fault) => fault.victim === victim && fault.kind === kind).length, 5);
});

test('an accepted investment without an outcome, with two, and an outcome of nothing are named', () => {
  const problems = outcomeProblems(
    census(
      verdictRow('ann'),
      verdictRow('ben'),
      verdictRow('eve'),
      outcomeRow('ben', 2),
      outcomeRow('ben', 2),
      outcomeRow('eve', 3),
      outcomeRow('joe', 9),
    ),
  );
  assert.deepEqual(problems, [
    'outcome 7 is of 9, which was not accepted',
    'accepted 1 has 0 outcomes',
    'accepted 2 has 2 outcomes',
  ]);
});

test('what a client was told and the journal lacks, has otherwise, has twice or has unasked is named', () => {
  const told = (answer: Answer = verdict): { book: VerdictBook; key: string } => {
    const book = new VerdictBook();
    const entry = book.open(ROUND, 'ann', AMOUNT);
    book.record(entry, answer);
    return { book, key: entry.key };
  };
  const { book, key } = told();
  const row = verdictRow('ann', { key });
  assert.deepEqual(bookProblems(book, census(row)), []);
  assert.match(bookProblems(book, census())[0] ?? '', /^I2: .*has no row/);
  assert.match(bookProblems(book, census({ ...row, verdict: 'round-full' }))[0] ?? '', /^I3: .*round-full/);
  assert.match(bookProblems(book, census({ ...row, amount: 1 }))[0] ?? '', /^I3: /);
  assert.match(bookProblems(book, census({ ...row, sequence: 2 }))[0] ?? '', /^I2: .*its row is 2/);
  assert.match(bookProblems(book, census(row, row))[0] ?? '', /^I3: two verdicts/);
  assert.match(bookProblems(book, census(row, verdictRow('ben')))[0] ?? '', /nobody asked for/);
  assert.deepEqual(bookProblems(told(fenced).book, census()), [], 'an unknown outcome may have no row');
});

test('room that is left behind a refusal is named, unless a decline has given it back since', () => {
  const refused = verdictRow('ben', { verdict: 'round-full', amount: 400 });
  const caps = (cap: number): Map<string, number> => new Map([[ROUND, cap]]);
  assert.deepEqual(undersellProblems(census(verdictRow('ann'), refused), caps(899)), []);
  assert.match(undersellProblems(census(verdictRow('ann'), refused), caps(900))[0] ?? '', /^I12: /);
  const declined = outcomeRow('ann', 1, { state: 'declined', reason: 'insufficient-funds' });
  assert.deepEqual(undersellProblems(census(verdictRow('ann'), refused, declined), caps(500)), []);
  const later = { ...refused, sequence: 50_000 };
  assert.match(undersellProblems(census(verdictRow('ann'), declined, later), caps(500))[0] ?? '', /^I12: /);
});

test('an answer that is lost, refused or late is excused by etcd and the edge, and by nothing else', () => {
  const outages = new Outages();
  const faults = { nsqd: 0, cassandra: 10_000, etcd: 20_000, edge: 30_000 } as const;
  for (const [victim, atMs] of Object.entries(faults)) {
    const end = outages.begin(victim as keyof typeof faults, 'kill', atMs);
    outages.observe(atMs + 100, atMs + 200, null);
    outages.observe(atMs + 300, atMs + 400, fenced);
    outages.observe(atMs + 500, atMs + 4_600, verdict);
    outages.observe(atMs + 500, atMs + 600, verdict);
    end(atMs + 5_000);
  }
  outages.observe(9_000, 9_100, null);
  outages.stalled(40_000, 42_000);
  outages.observe(39_000, 44_000, verdict);
  const named = outages.unexcused().map((line) => line.replace(/;.*/, ''));
  const each = (victim: string): string[] =>
    ['no answer', '503 fenced', '201 accepted'].map((what) => `1 times ${what} during ${victim} kill`);
  assert.deepEqual(named, [...each('nsqd'), ...each('cassandra'), '1 times no answer during no fault']);
  assert.deepEqual(outages.felt(), { 'no answer': 5, '503 fenced': 4, '201 accepted': 5 });
  assert.deepEqual([outages.wentOn('nsqd kill'), outages.wentOn('edge kill')], [1, 0]);
});

test('a node that fences itself is excused, and counted unless etcd or its own pause is the reason', () => {
  const outages = new Outages();
  outages.sound(57_000);
  outages.observe(58_000, 58_100, fenced);
  outages.fenced(60_000)(62_000);
  assert.deepEqual([outages.unexcused(), outages.fencedUnasked], [[], 1]);
  outages.sound(70_000);
  outages.begin('etcd', 'pause', 71_000)(76_000);
  outages.fenced(77_000)(79_000);
  assert.equal(outages.fencedUnasked, 1);
});
