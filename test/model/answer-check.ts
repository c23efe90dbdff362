// What an answer of a shard must be, said by the model: status, headers, members, in every encoding.

import assert from 'node:assert/strict';
import { Unpackr } from 'msgpackr';
import { investmentId } from '../../src/core/ids.js';
import { PROBLEMS, type ProblemCode } from '../../src/core/problem.js';
import type { ModelAnswer, ModelVerdict } from './admission-model.js';

/** A copy of one answer record. */
export interface Got {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
}

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
const isoOf = (ms: number): string => new Date(ms).toISOString();

/** Reads a body by its encoding. */
export function decodeBody(body: Buffer, msgpack: boolean): Record<string, unknown> {
  return (msgpack ? unpackr.unpack(body) : JSON.parse(body.toString('utf8'))) as Record<string, unknown>;
}

/** The investment as a 201 shows it, whatever became of it since. */
function acceptedView(journalId: string, verdict: ModelVerdict, round: string): Record<string, unknown> {
  const { sequence, investor, amount, currency, atMs } = verdict;
  const id = investmentId(journalId, sequence);
  return { id, round, investor, amount, currency, state: 'accepted', sequence, acceptedAt: isoOf(atMs) };
}

/** The investment as reading shows it. */
export function investmentView(
  journalId: string,
  verdict: ModelVerdict,
  round: string,
): Record<string, unknown> {
  const view = acceptedView(journalId, verdict, round);
  if (verdict.code !== 'accepted') {
    const { acceptedAt, ...rest } = view;
    return { ...rest, state: 'rejected', reason: verdict.code, rejectedAt: acceptedAt };
  }
  const { outcome } = verdict;
  if (outcome === null) return view;
  const reason = outcome.reason === null ? {} : { reason: outcome.reason };
  return { ...view, state: outcome.state, [`${outcome.state}At`]: isoOf(outcome.atMs), ...reason };
}

function checkProblem(
  problem: Record<string, unknown>,
  code: string,
  members: Readonly<Record<string, unknown>> | null,
): void {
  const { type, title, status, detail, code: shown, retryAfter, ...extra } = problem;
  assert.equal(shown, code);
  assert.equal(type, `/problems/${code}`);
  assert.equal(status, PROBLEMS[code as ProblemCode].status);
  assert.ok(typeof title === 'string' && typeof detail === 'string');
  assert.ok(retryAfter === undefined || typeof retryAfter === 'number');
  if (members !== null) assert.deepEqual(extra, members);
}

/** An HTTP answer to an investment. */
export function checkHttp(
  got: Got,
  expected: ModelAnswer,
  journalId: string,
  round: string,
  msgpack: boolean,
): void {
  const code = expected.kind === 'verdict' ? expected.verdict.code : expected.code;
  const status = code === 'accepted' ? 201 : PROBLEMS[code as ProblemCode].status;
  assert.equal(got.status, status, `${code}: ${got.head} ${got.body}`);
  assert.ok(got.head.startsWith(`${status} `));
  const replayed = expected.kind === 'verdict' && expected.replayed;
  assert.equal(/\r\nIdempotency-Replayed: true(\r\n|$)/.test(got.head), replayed, 'Idempotency-Replayed');
  if (expected.kind === 'verdict' && code === 'accepted') {
    const view = acceptedView(journalId, expected.verdict, round);
    assert.deepEqual(decodeBody(got.body, msgpack), view);
    assert.ok(got.head.includes(`\r\nLocation: /v1/rounds/${round}/investments/${view['id']}`));
    return;
  }
  assert.ok(got.head.includes('\r\nContent-Type: application/problem+json'));
  checkProblem(decodeBody(got.body, false), code, membersOf(expected));
}

/** A live answer to an `invest`. */
export function checkLive(
  got: Got,
  expected: ModelAnswer,
  key: string,
  journalId: string,
  round: string,
  msgpack: boolean,
): void {
  const message = decodeBody(got.body, msgpack);
  const code = expected.kind === 'verdict' ? expected.verdict.code : expected.code;
  const { type, key: shown, status, replayed, investment, problem, ...extra } = message;
  assert.deepEqual(extra, {});
  assert.equal(type, 'verdict', JSON.stringify(message));
  assert.equal(shown, key);
  assert.equal(status, code === 'accepted' ? 201 : PROBLEMS[code as ProblemCode].status);
  assert.equal(replayed, expected.kind === 'verdict' && expected.replayed);
  if (expected.kind === 'verdict' && code === 'accepted') {
    assert.deepEqual(investment, acceptedView(journalId, expected.verdict, round));
    assert.equal(problem, undefined);
    return;
  }
  assert.equal(investment, undefined);
  checkProblem(problem as Record<string, unknown>, code, membersOf(expected));
}

/** Null: which members is not the model's to know. */
function membersOf(expected: ModelAnswer): Readonly<Record<string, unknown>> | null {
  if (expected.kind === 'verdict') return expected.verdict.members;
  return expected.code === 'malformed-request' ? null : expected.members;
}
