// One change of the books as the log of the ledger in Cassandra holds it: every row that it makes or replaces, in
// MessagePack. Both legs of a transfer are in the same change, so the log has both or none.

import { Packr } from 'msgpackr';
import { assert } from '../core/assert.js';
import type { Changes } from './books-transaction.js';
import type { OutcomeRow } from './ledger-rows.js';

export interface LogChange extends Changes {
  /** The edge has heard of all balances up to this place in the balance outbox. */
  readonly balancesSent: number;
}

const FORMAT = 1;
/** Plain MessagePack: a record can be read without anything that was learnt from others. */
const packr = new Packr({ useRecords: false });

export function encodeChange(change: LogChange): Buffer {
  const { accounts, entries, outcomes, transfers, rounds, outbox, meta, balancesSent } = change;
  return packr.pack([FORMAT, accounts, entries, outcomes, transfers, rounds, outbox, meta, balancesSent]);
}

export function decodeChange(body: Buffer): LogChange {
  const [format, accounts, entries, outcomes, transfers, rounds, outbox, meta, balancesSent] =
    packr.unpack(body);
  assert(format === FORMAT, 'a record of the ledger must have a known format');
  return { accounts, entries, outcomes, transfers, rounds, outbox, meta, balancesSent };
}

export const encodeOutcome = (row: OutcomeRow): Buffer => packr.pack(row);
export const decodeOutcome = (body: Buffer): OutcomeRow => packr.unpack(body);

/** Where the tables are: the state after the change at `position` of the log. */
export type TablesState = Pick<LogChange, 'meta' | 'balancesSent'>;

export const encodeState = ({ meta, balancesSent }: TablesState): Buffer =>
  packr.pack([FORMAT, meta, balancesSent]);

export function decodeState(body: Buffer): TablesState {
  const [format, meta, balancesSent] = packr.unpack(body);
  assert(format === FORMAT, 'the state of the ledger must have a known format');
  return { meta, balancesSent };
}

/** Rows that a change brings into the tables. */
export const rowsOf = ({ accounts, entries, outcomes, transfers, outbox }: Changes): number =>
  accounts.length + entries.length + outcomes.length + transfers.length + outbox.length;

/** Several changes, one behind the other, as one. */
export function mergedChange(changes: readonly LogChange[]): LogChange {
  const last = changes.at(-1);
  assert(last !== undefined, 'there is a change to merge');
  return {
    // The last one counts.
    accounts: [...new Map(changes.flatMap((change) => change.accounts))],
    rounds: [...new Map(changes.flatMap((change) => change.rounds))],
    entries: changes.flatMap((change) => change.entries),
    outcomes: changes.flatMap((change) => change.outcomes),
    transfers: changes.flatMap((change) => change.transfers),
    outbox: changes.flatMap((change) => change.outbox),
    meta: last.meta,
    balancesSent: last.balancesSent,
  };
}
