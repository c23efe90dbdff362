// Journal rows to bytes and back; the bytes are drawn in row-layout.ts.
//
// Rows are checked when they are written (a wrong one is our own mistake: assertion) and again, in full, when they are
// read (a wrong one is damage: a reason, never a guess). The writers take plain values and a caller's buffer, because
// verdicts are written on the hot path: no object, no copy.

import { assert } from './assert.js';
import { isInvestorId } from './investor.js';
import {
  IDEMPOTENCY_KEY_BYTES_MAX,
  INVESTOR_BYTES_MAX,
  JOURNAL_ROW_BYTES_MAX,
  ROUNDS_MAX,
} from './limits.js';
import { decodeLineageRow, encodeLineageRow } from './lineage-row.js';
import { getU16, getU53, putU16, putU53 } from './little-endian.js';
import { DECLINE_REASONS } from './messages.js';
import { AMOUNT_MINOR_MAX, isAmount, isBalance } from './money.js';
import { err, ok, type Result } from './result.js';
import { decodeRoundRow, encodeRoundRow } from './round-row.js';
import {
  ELIGIBLE_FLAG,
  isKey,
  isRowTime,
  isVisible,
  OUTCOME_AT,
  OUTCOME_SETTLED_CODE,
  putVisible,
  ROW_AT,
  ROW_KIND,
  ROW_TEXT_AT,
  VERDICT_AT,
} from './row-layout.js';
import { type OutcomeRow, type Row, STICKY_VERDICTS, VERDICT_CODES } from './rows.js';
import { Span } from './span.js';

const DECLINED_CODE_FIRST = OUTCOME_SETTLED_CODE + 1;
const KEY_PATTERN = /^[A-Za-z0-9_-]+$/;
const investorText = new Span();
const keyText = new Span();

assert(
  JOURNAL_ROW_BYTES_MAX >= ROW_TEXT_AT.verdict + INVESTOR_BYTES_MAX + IDEMPOTENCY_KEY_BYTES_MAX &&
    JOURNAL_ROW_BYTES_MAX >= ROW_TEXT_AT.outcome + INVESTOR_BYTES_MAX,
  'the bound of a row must hold the longest one',
);

/** Writes a verdict row at `offset` and answers the offset behind it. `code` is one of VERDICT_CODES. */
export function encodeVerdict(
  buffer: Buffer,
  offset: number,
  at: number,
  round: number,
  code: number,
  amount: number,
  extra: number,
  investor: Span,
  key: Span,
): number {
  const keyAt = offset + ROW_TEXT_AT.verdict + investor.length;
  const end = keyAt + key.length;
  assert(investor.length > 0 && investor.length <= INVESTOR_BYTES_MAX, 'an investor id has 1 to 128 bytes');
  assert(key.length > 0 && key.length <= IDEMPOTENCY_KEY_BYTES_MAX, 'an idempotency key has 1 to 64 bytes');
  assert(end <= buffer.length, 'a row must fit its buffer');
  assert(isRowTime(at) && round >= 1 && round <= ROUNDS_MAX, 'a verdict needs a time and a round');
  assert(isAmount(amount), 'a verdict is about an amount');
  assert(
    verdictExtraIsPossible(code, amount, extra),
    () => `verdict code ${code} cannot have extra ${extra}`,
  );
  putU16(buffer, offset, end - offset);
  buffer[offset + ROW_AT.kind] = ROW_KIND.verdict;
  buffer[offset + ROW_AT.code] = code;
  putU16(buffer, offset + ROW_AT.round, round);
  buffer[offset + ROW_AT.investorBytes] = investor.length;
  buffer[offset + VERDICT_AT.keyBytes] = key.length;
  putU53(buffer, offset + ROW_AT.time, at);
  putU53(buffer, offset + VERDICT_AT.amount, amount);
  putU53(buffer, offset + VERDICT_AT.extra, extra);
  investor.copyTo(buffer, offset + ROW_TEXT_AT.verdict);
  key.copyTo(buffer, keyAt);
  assert(isVisible(buffer, offset + ROW_TEXT_AT.verdict, keyAt), 'an investor id is visible ASCII');
  assert(isKey(buffer, keyAt, end), 'an idempotency key is of A-Z a-z 0-9 _ -');
  return end;
}

/** What `extra` may be; that a round is full for an amount means that less room was left. */
function verdictExtraIsPossible(code: number, amount: number, extra: number): boolean {
  switch (code) {
    case VERDICT_CODES.accepted:
    case VERDICT_CODES['not-eligible']:
    case VERDICT_CODES['insufficient-balance']:
      return extra === 0;
    case VERDICT_CODES['already-invested']:
    case VERDICT_CODES['already-invested-in-frame']:
      return Number.isInteger(extra) && extra >= 1 && extra <= AMOUNT_MINOR_MAX;
    case VERDICT_CODES['round-full']:
      return Number.isInteger(extra) && extra >= 0 && extra < amount;
    default:
      return false;
  }
}

/** Writes an outcome row at `offset` and answers the offset behind it. Its `sequence` is not stored. */
function encodeOutcome(buffer: Buffer, offset: number, row: Omit<OutcomeRow, 'kind' | 'sequence'>): number {
  const { investor, reason } = row;
  const end = offset + ROW_TEXT_AT.outcome + investor.length;
  assert(investor.length > 0 && investor.length <= INVESTOR_BYTES_MAX, 'an investor id has 1 to 128 bytes');
  assert(end <= buffer.length, 'a row must fit its buffer');
  assert(
    isRowTime(row.at) && row.round >= 1 && row.round <= ROUNDS_MAX,
    'an outcome needs a time and a round',
  );
  assert(
    isAmount(row.investment) && isAmount(row.amount),
    'an outcome is about an investment and its amount',
  );
  assert(
    isBalance(row.balance) && isBalance(row.balanceVersion),
    'a balance and its version are never below zero',
  );
  assert(
    (row.state === 'declined') === (reason !== null),
    'a declined investment has a reason, a settled one none',
  );
  putU16(buffer, offset, end - offset);
  buffer[offset + ROW_AT.kind] = ROW_KIND.outcome;
  buffer[offset + ROW_AT.code] =
    reason === null ? OUTCOME_SETTLED_CODE : DECLINE_REASONS.indexOf(reason) + DECLINED_CODE_FIRST;
  putU16(buffer, offset + ROW_AT.round, row.round);
  buffer[offset + ROW_AT.investorBytes] = investor.length;
  buffer[offset + OUTCOME_AT.flags] = row.eligible ? ELIGIBLE_FLAG : 0;
  putU53(buffer, offset + ROW_AT.time, row.at);
  putU53(buffer, offset + OUTCOME_AT.investment, row.investment);
  putU53(buffer, offset + OUTCOME_AT.amount, row.amount);
  putU53(buffer, offset + OUTCOME_AT.balance, row.balance);
  putU53(buffer, offset + OUTCOME_AT.balanceVersion, row.balanceVersion);
  assert(putVisible(buffer, offset + ROW_TEXT_AT.outcome, investor), 'an investor id is visible ASCII');
  return end;
}

/** Writes any row at `offset` and answers the offset behind it. Its `sequence` is not stored. */
export function encodeRow(buffer: Buffer, offset: number, row: Row): number {
  switch (row.kind) {
    case 'verdict': {
      const { at, round, verdict, amount, extra } = row;
      assert(isInvestorId(row.investor), 'an investor id is visible ASCII');
      assert(KEY_PATTERN.test(row.key), 'an idempotency key is of A-Z a-z 0-9 _ -');
      investorText.setText(row.investor);
      keyText.setText(row.key);
      const code = VERDICT_CODES[verdict];
      return encodeVerdict(buffer, offset, at, round, code, amount, extra, investorText, keyText);
    }
    case 'outcome':
      return encodeOutcome(buffer, offset, row);
    case 'round':
      return encodeRoundRow(buffer, offset, row.at, row.change, row.definition);
    case 'lineage':
      return encodeLineageRow(buffer, offset, row.at, row.lineage, row.lostThrough);
  }
}

/** Reads the row at `offset`; the error says what is wrong with it. Its length is its first two bytes. */
export function decodeRow(buffer: Buffer, offset: number, sequence: number): Result<Row, string> {
  const row = decodeAt(buffer, offset, sequence);
  return typeof row === 'string' ? err(row) : ok(row);
}

/**
 * Calls `visitor` with each row of a frame's payload, in order. An error says which sequence is wrong and how; the
 * rows before it have been visited then.
 */
export function forEachRow(
  payload: Buffer,
  firstSequence: number,
  count: number,
  visitor: (row: Row) => void,
): Result<undefined, string> {
  let offset = 0;
  for (let sequence = firstSequence; sequence < firstSequence + count; sequence++) {
    const row = decodeAt(payload, offset, sequence);
    if (typeof row === 'string') return err(`row ${sequence}: ${row}`);
    visitor(row);
    offset += getU16(payload, offset);
  }
  return offset === payload.length
    ? ok(undefined)
    : err(`${payload.length - offset} bytes behind the last row`);
}

function decodeAt(buffer: Buffer, offset: number, sequence: number): Row | string {
  if (offset + ROW_TEXT_AT.round > buffer.length) return 'row is cut short';
  const end = offset + getU16(buffer, offset);
  if (end > buffer.length) return 'row is cut short';
  const round = getU16(buffer, offset + ROW_AT.round);
  const kind = buffer[offset + ROW_AT.kind];
  if (kind === ROW_KIND.lineage ? round !== 0 : round < 1 || round > ROUNDS_MAX)
    return `row is of round ${round}`;
  switch (kind) {
    case ROW_KIND.verdict:
      return decodeVerdict(buffer, offset, end, sequence, round);
    case ROW_KIND.outcome:
      return decodeOutcome(buffer, offset, end, sequence, round);
    case ROW_KIND.round:
      return decodeRoundRow(buffer, offset, end, sequence, round);
    case ROW_KIND.lineage:
      return decodeLineageRow(buffer, offset, end, sequence);
    default:
      return `row is of unknown kind ${kind}`;
  }
}

function decodeVerdict(
  buffer: Buffer,
  offset: number,
  end: number,
  sequence: number,
  round: number,
): Row | string {
  const textAt = offset + ROW_TEXT_AT.verdict;
  const keyAt = textAt + buffer[offset + ROW_AT.investorBytes]!;
  if (textAt >= keyAt || keyAt >= end || end !== keyAt + buffer[offset + VERDICT_AT.keyBytes]!)
    return 'verdict has a wrong length';
  if (keyAt - textAt > INVESTOR_BYTES_MAX || !isVisible(buffer, textAt, keyAt))
    return 'verdict has no investor';
  if (end - keyAt > IDEMPOTENCY_KEY_BYTES_MAX || !isKey(buffer, keyAt, end)) return 'verdict has no key';
  const at = getU53(buffer, offset + ROW_AT.time);
  if (!isRowTime(at)) return 'verdict has no time';
  const amount = getU53(buffer, offset + VERDICT_AT.amount);
  if (amount < 1) return 'verdict has no amount';
  let code = buffer[offset + ROW_AT.code]!;
  let extra = getU53(buffer, offset + VERDICT_AT.extra);
  if (!verdictExtraIsPossible(code, amount, extra)) return `verdict code ${code} has extra ${extra}`;
  if (code === VERDICT_CODES['already-invested-in-frame']) {
    code = VERDICT_CODES['already-invested'];
    extra = sequence - extra;
  }
  if (code === VERDICT_CODES['already-invested'] && (extra < 1 || extra >= sequence)) {
    return `verdict refers to sequence ${extra}`;
  }
  return {
    kind: 'verdict',
    sequence,
    at,
    round,
    investor: buffer.latin1Slice(textAt, keyAt),
    key: buffer.latin1Slice(keyAt, end),
    verdict: STICKY_VERDICTS[code - 1]!,
    amount,
    extra,
  };
}

function decodeOutcome(
  buffer: Buffer,
  offset: number,
  end: number,
  sequence: number,
  round: number,
): Row | string {
  const textAt = offset + ROW_TEXT_AT.outcome;
  if (textAt >= end || end !== textAt + buffer[offset + ROW_AT.investorBytes]!)
    return 'outcome has a wrong length';
  if (end - textAt > INVESTOR_BYTES_MAX || !isVisible(buffer, textAt, end)) return 'outcome has no investor';
  const code = buffer[offset + ROW_AT.code]!;
  const flags = buffer[offset + OUTCOME_AT.flags]!;
  const reason = DECLINE_REASONS[code - DECLINED_CODE_FIRST] ?? null;
  if ((code !== OUTCOME_SETTLED_CODE && reason === null) || flags > ELIGIBLE_FLAG)
    return 'outcome has an unknown code';
  const at = getU53(buffer, offset + ROW_AT.time);
  const investment = getU53(buffer, offset + OUTCOME_AT.investment);
  const amount = getU53(buffer, offset + OUTCOME_AT.amount);
  const balance = getU53(buffer, offset + OUTCOME_AT.balance);
  const balanceVersion = getU53(buffer, offset + OUTCOME_AT.balanceVersion);
  if (!isRowTime(at) || amount < 1 || balance < 0 || balanceVersion < 0)
    return 'outcome has a number out of range';
  if (investment < 1 || investment >= sequence) return `outcome refers to sequence ${investment}`;
  return {
    kind: 'outcome',
    sequence,
    at,
    round,
    investor: buffer.latin1Slice(textAt, end),
    investment,
    amount,
    state: reason === null ? 'settled' : 'declined',
    reason,
    balance,
    balanceVersion,
    eligible: flags === ELIGIBLE_FLAG,
  };
}
