// Changes of an investment as CloudEvents 1.0 in JSON, for whatever comes after: an activity feed, a push notification.
//
// Every verdict that stands in the journal and every outcome is an event: `accepted`, `rejected`, `settled`, `declined`. The
// id is the investment's id and that state: the same change has the same id however often it is published, so a consumer
// that remembers ids sees each change once. `sequence` (the extension of that name) orders them.

import type { InvestmentIds } from './ids.js';
import { investmentObject, type RoundLabel, timestamp } from './investment-view.js';
import type { OutcomeRow, Row, VerdictRow } from './rows.js';

/** Digits that hold any sequence: as text of one length they order as numbers do. */
const SEQUENCE_DIGITS = 16;

/** What a row is as an event, as JSON text in ASCII; null for rows that are not about an investment. */
export function eventOfRow(
  ids: InvestmentIds,
  row: Row,
  roundOf: (number: number) => RoundLabel | undefined,
): string | null {
  if (row.kind !== 'verdict' && row.kind !== 'outcome') return null;
  const round = roundOf(row.round);
  if (round === undefined) return null;
  return row.kind === 'verdict' ? verdictEvent(ids, row, round) : outcomeEvent(ids, row, round);
}

function verdictEvent(ids: InvestmentIds, row: VerdictRow, round: RoundLabel): string {
  const state = row.verdict === 'accepted' ? 'accepted' : 'rejected';
  const id = ids.idOf(row.sequence);
  return event(id, state, row, round, investmentObject(ids, round, row, null));
}

function outcomeEvent(ids: InvestmentIds, row: OutcomeRow, round: RoundLabel): string {
  const id = ids.idOf(row.investment);
  return event(id, row.state, row, round, {
    id,
    round: round.id,
    investor: row.investor,
    amount: row.amount,
    currency: round.currency,
    state: row.state,
    sequence: row.investment,
    [row.state === 'settled' ? 'settledAt' : 'declinedAt']: timestamp(row.at),
    ...(row.reason === null ? {} : { reason: row.reason }),
  });
}

function event(
  id: string,
  state: string,
  row: VerdictRow | OutcomeRow,
  round: RoundLabel,
  data: Record<string, unknown>,
): string {
  return JSON.stringify({
    specversion: '1.0',
    id: `${id}.${state}`,
    source: `/v1/rounds/${round.id}`,
    type: `openbell.investment.${state}`,
    subject: id,
    time: timestamp(row.at),
    datacontenttype: 'application/json',
    sequence: row.sequence.toString().padStart(SEQUENCE_DIGITS, '0'),
    data,
  });
}
