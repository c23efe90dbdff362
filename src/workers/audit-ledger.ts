// What the ledger holds, outcome by outcome, against what the journal says.
//
// The order of reads is what keeps a running node from looking wrong. Time goes one way along an investment:
//
//   accepted row synced ▶ outcome in the ledger ▶ outcome row synced in the journal
//
// So (1) the journal is read to a sequence S first; (2) then the ledger says how many outcomes N it holds, and the first
// N are read: every outcome that the journal had at S must be among them, and one that it learned later need not be;
// (3) before a page is looked at, the journal is read on to what was synced after the page had arrived: every outcome in
// the page must be of an accepted row by then. An outcome that both sides have must be the same, whenever it came. One
// that only the ledger has is on its way back; one that neither has waits: both are counted, and no difference.

import type { InvestmentIds } from '../core/ids.js';
import type { DeclineReason } from '../core/messages.js';
import { DECLINE_REASONS } from '../core/messages.js';
import { isAmount } from '../core/money.js';
import { err, ok, type Result } from '../core/result.js';
import { type AcceptedTable, NO_OUTCOME, outcomeCode, outcomeText } from './audit-accepted.js';
import type { Findings } from './audit-findings.js';

export interface LedgerPage {
  readonly outcomes: number;
  /** Cursor of the page behind this one. */
  readonly next: string;
}

/** What a round's outcomes at the ledger come to, whichever journal they are of. */
export interface LedgerRoundSum {
  readonly round: string;
  settled: number;
  settledCount: number;
}

export interface LedgerTally {
  /** Outcomes that the ledger has told. */
  readonly outcomes: number;
  /** Of those, of investments of another journal. */
  readonly foreign: number;
  readonly rounds: readonly LedgerRoundSum[];
  /** Accepted, and neither side has an outcome. */
  readonly waiting: number;
  /** The ledger has an outcome that the journal has not. */
  readonly inTransit: number;
}

/** A round's id and currency, by its number. */
export type RoundLabels = ReadonlyMap<number, { readonly id: string; readonly currency: string }>;

interface Told {
  readonly id: string;
  readonly round: string;
  readonly investor: string;
  readonly amount: number;
  readonly currency: string;
  readonly state: 'settled' | 'declined';
  readonly reason?: DeclineReason;
}

export class AuditLedger {
  readonly #ids: InvestmentIds;
  readonly #accepted: AcceptedTable;
  readonly #rounds: RoundLabels;
  readonly #findings: Findings;
  readonly #sums = new Map<string, LedgerRoundSum>();
  #outcomes = 0;
  #foreign = 0;

  constructor(ids: InvestmentIds, accepted: AcceptedTable, rounds: RoundLabels, findings: Findings) {
    this.#ids = ids;
    this.#accepted = accepted;
    this.#rounds = rounds;
    this.#findings = findings;
  }

  /** Takes a page as the ledger's admin port sent it; the error says why it is none. */
  take(body: Uint8Array): Result<LedgerPage, string> {
    const page = readPage(body);
    if (!page.ok) return page;
    for (const outcome of page.value.outcomes) this.#take(outcome);
    return ok({ outcomes: page.value.outcomes.length, next: page.value.next });
  }

  /**
   * Compares what both have come to.
   * @param whole every outcome that the journal knew when the ledger was asked has been told
   */
  finish(whole: boolean): LedgerTally {
    let waiting = 0;
    let inTransit = 0;
    for (const { sequence, round, journal, ledger, late } of this.#accepted.standings()) {
      if (journal === ledger) waiting += journal === NO_OUTCOME ? 1 : 0;
      else if (journal === NO_OUTCOME) inTransit += 1;
      else if (ledger !== NO_OUTCOME) {
        this.#add(
          'ledger-differs',
          sequence,
          round,
          `the journal has ${outcomeText(journal)}, the ledger ${outcomeText(ledger)}`,
        );
      } else if (whole && !late) {
        this.#add(
          'ledger-missing',
          sequence,
          round,
          `the journal has ${outcomeText(journal)}, the ledger does not know it`,
        );
      }
    }
    const rounds = [...this.#sums.values()].sort((a, b) => (a.round < b.round ? -1 : 1));
    return { outcomes: this.#outcomes, foreign: this.#foreign, rounds, waiting, inTransit };
  }

  #take(outcome: Told): void {
    this.#outcomes += 1;
    const { id, round, amount, state } = outcome;
    let sum = this.#sums.get(round);
    if (sum === undefined) {
      sum = { round, settled: 0, settledCount: 0 };
      this.#sums.set(round, sum);
    }
    if (state === 'settled') {
      sum.settled += amount;
      sum.settledCount += 1;
    }
    if (!this.#ids.isOfLineage(id)) {
      this.#foreign += 1;
      return;
    }
    const at = this.#accepted.find(this.#ids.sequenceOf(id));
    if (at >= 0) this.#compare(at, outcome);
    else if (this.#accepted.leftOut === 0) {
      const detail = `the ledger has ${state} ${amount} of ${outcome.investor}, and the journal has not accepted it`;
      this.#findings.add({ kind: 'ledger-unknown', investment: id, round, detail });
    }
  }

  #compare(at: number, told: Told): void {
    const { id, round, investor, amount, currency } = told;
    const accepted = this.#accepted;
    const label = this.#rounds.get(accepted.roundAt(at));
    const differ = (detail: string) =>
      this.#findings.add({ kind: 'ledger-differs', investment: id, round, detail });
    if (accepted.amountAt(at) !== amount)
      differ(`the journal has ${accepted.amountAt(at)}, the ledger ${amount}`);
    if (!accepted.isInvestorAt(at, investor))
      differ(`the ledger has it of ${investor}, the journal of somebody else`);
    if (label?.id !== round) differ(`the journal has it in round ${label?.id}, the ledger in ${round}`);
    else if (label.currency !== currency)
      differ(`the round is in ${label.currency}, the ledger has ${currency}`);
    if (accepted.ledgerAt(at) === NO_OUTCOME) {
      accepted.setLedger(at, outcomeCode(told.state, told.reason ?? null));
      return;
    }
    this.#findings.add({
      kind: 'ledger-twice',
      investment: id,
      round,
      detail: 'the ledger has two outcomes of it',
    });
  }

  #add(kind: 'ledger-differs' | 'ledger-missing', sequence: number, round: number, detail: string): void {
    const id = this.#rounds.get(round)?.id;
    const investment = this.#ids.idOf(sequence);
    this.#findings.add({ kind, investment, ...(id === undefined ? {} : { round: id }), detail });
  }
}

function readPage(body: Uint8Array): Result<{ outcomes: readonly Told[]; next: string }, string> {
  let page: { outcomes?: unknown; next?: unknown };
  try {
    page = JSON.parse(
      Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'),
    ) as typeof page;
  } catch {
    return err('its page of outcomes is not JSON');
  }
  const { outcomes, next } = page ?? {};
  if (!Array.isArray(outcomes) || typeof next !== 'string')
    return err('its answer is not a page of outcomes');
  return outcomes.every(isTold) ? ok({ outcomes, next }) : err('its page holds something else than outcomes');
}

function isTold(value: unknown): value is Told {
  if (typeof value !== 'object' || value === null) return false;
  const { id, round, investor, amount, currency, state, reason } = value as Record<string, unknown>;
  if (![id, round, investor, currency].every((text) => typeof text === 'string') || !isAmount(amount))
    return false;
  return state === 'settled' || (state === 'declined' && DECLINE_REASONS.includes(reason as DeclineReason));
}
