// Rows out of Cassandra, as the journal's rows again. They are checked as bytes from a disk are: a row that no journal
// could hold was written by somebody else, and is told apart instead of served.

import type { types } from 'cassandra-driver';
import { isLineage, type Lineage } from '../../core/ids.js';
import { JOURNAL_ROUND_ROW_BYTES_MAX } from '../../core/limits.js';
import { DECLINE_REASONS } from '../../core/messages.js';
import { err, ok, type Result } from '../../core/result.js';
import { ROUND_CHANGES, type RoundDefinition } from '../../core/round.js';
import { decodeRow, encodeRow } from '../../core/row-codec.js';
import { type Row, STICKY_VERDICTS } from '../../core/rows.js';
import type { ControlRow, InvestorRow, StoredRow } from '../rows.js';
import { ColumnError, flagOf, integerOf, textOf, timeOf } from './column.js';

/** A row of `rows_by_round` or `rows_by_investor`; `round` is the number that the journal gives it. */
export function investorRow(stored: types.Row, round: number): StoredRow<InvestorRow> {
  return read(stored, (sequence) => {
    const shared = { sequence, at: timeOf(stored, 'at'), round, investor: textOf(stored, 'investor') };
    const amount = integerOf(stored, 'amount');
    if (stored['verdict'] !== null) {
      const verdict = oneOf(STICKY_VERDICTS, textOf(stored, 'verdict'));
      const key = textOf(stored, 'idempotency_key');
      return { kind: 'verdict', ...shared, key, verdict, amount, extra: integerOf(stored, 'extra') };
    }
    const reason = textOf(stored, 'reason');
    return {
      kind: 'outcome',
      ...shared,
      investment: integerOf(stored, 'investment'),
      amount,
      state: oneOf(['settled', 'declined'] as const, textOf(stored, 'state')),
      reason: reason === '' ? null : oneOf(DECLINE_REASONS, reason),
      balance: integerOf(stored, 'balance'),
      balanceVersion: integerOf(stored, 'balance_version'),
      eligible: flagOf(stored, 'eligible'),
    };
  });
}

/** A row of `control_rows`. */
export function controlRow(stored: types.Row): StoredRow<ControlRow> {
  return read(stored, (sequence) => {
    const at = timeOf(stored, 'at');
    const content: unknown = JSON.parse(textOf(stored, 'content'));
    if (typeof content !== 'object' || content === null) throw new ColumnError('content is no object');
    if (textOf(stored, 'kind') === 'lineage') {
      const { lineage, lostThrough } = content as { lineage: Lineage; lostThrough: number };
      if (!Array.isArray(lineage) || !isLineage(lineage)) throw new ColumnError('content is no lineage');
      return { kind: 'lineage', sequence, at, lineage, lostThrough };
    }
    const change = oneOf(ROUND_CHANGES, textOf(stored, 'change'));
    return { kind: 'round', sequence, at, change, definition: content as RoundDefinition };
  });
}

function oneOf<T extends string>(known: readonly T[], text: string): T {
  const found = known.find((one) => one === text);
  if (found === undefined) throw new ColumnError(`${text} is unknown`);
  return found;
}

function read<T extends Row>(stored: types.Row, make: (sequence: number) => T): StoredRow<T> {
  const sequence = integerOf(stored, 'sequence');
  const epoch = integerOf(stored, 'epoch');
  try {
    return { sequence, epoch, row: checked(make(sequence)) };
  } catch (error) {
    if (!(error instanceof ColumnError) && !(error instanceof SyntaxError)) throw error;
    return { sequence, epoch, row: err(error.message) };
  }
}

const scratch = Buffer.alloc(JOURNAL_ROUND_ROW_BYTES_MAX);

/** The row, if a journal could hold it: written and read back, by the one codec that says what a row is. */
function checked<T extends Row>(row: T): Result<T, string> {
  try {
    const end = encodeRow(scratch, 0, row);
    const back = decodeRow(scratch.subarray(0, end), 0, row.sequence);
    return back.ok ? ok(back.value as T) : back;
  } catch (error) {
    return err((error as Error).message);
  }
}
