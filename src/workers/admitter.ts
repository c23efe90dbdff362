// Decides well-formed investments of one batch and drafts the rows of those verdicts that stick; `commit` makes them
// durable together. Between the two nothing may be told.

import type { Counters } from '../core/counters.js';
import { type Applicant, decide, type Proposal, type RoundAtDecision } from '../core/decide.js';
import { packCurrency } from '../core/request-reader.js';
import type { RoundDefinition } from '../core/round.js';
import { type StickyVerdict, VERDICT_CODES, type VerdictRow } from '../core/rows.js';
import type { IndexReader } from './index-db.js';
import { earlierVerdict } from './investment-reads.js';
import type { InvestorCache, InvestorState } from './investor-cache.js';
import { FrameBuilder } from './journal-frame.js';
import type { JournalWriter } from './journal-writer.js';
import { refusalOf } from './refusal.js';
import { problemReply, type Reply, type ReplyForm } from './reply.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A row whose sequence is known after the append. */
type DraftVerdict = Writable<VerdictRow>;

export interface AdmitterModules {
  readonly counters: Counters;
  readonly index: IndexReader;
  readonly writer: JournalWriter;
  readonly investors: InvestorCache;
}

export class Admitter {
  readonly #modules: AdmitterModules;
  readonly #frame = new FrameBuilder();
  readonly #rounds: (RoundDefinition | undefined)[] = [];
  readonly #currencies: number[] = [];
  #drafts: DraftVerdict[] = [];
  /** Filled in for each decision: in a rush, objects that live for a microsecond are most of the garbage. */
  readonly #applicant: Writable<Applicant> = {
    earlier: null,
    liveSequence: 0,
    known: false,
    eligible: false,
    available: 0,
  };
  readonly #atDecision: Partial<Writable<RoundAtDecision>> = {};
  #nowMs = 0;

  constructor(modules: AdmitterModules) {
    this.#modules = modules;
  }

  setRound(definition: RoundDefinition): void {
    this.#rounds[definition.number] = definition;
    this.#currencies[definition.number] = packCurrency(definition.currency);
  }

  round(number: number): RoundDefinition | undefined {
    return this.#rounds[number];
  }

  /** Starts a batch, all of whose rows are of this instant. */
  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#frame.reset();
    this.#drafts = [];
  }

  /**
   * Makes the batch's rows durable and gives them their sequences; how many there are.
   * @throws JournalFailed
   */
  commit(): number {
    const drafts = this.#drafts;
    if (drafts.length === 0) return 0;
    const firstSequence = this.#modules.writer.append(this.#frame, this.#nowMs);
    for (let i = 0; i < drafts.length; i++) {
      const draft = drafts[i]!;
      draft.sequence = firstSequence + i;
      if (draft.extra < 0) draft.extra += draft.sequence;
    }
    return drafts.length;
  }

  /** Decides one investment; its row is drafted when the verdict sticks to the key. */
  invest(investor: string, key: string, round: number, wanted: Proposal, form: ReplyForm): Reply {
    const { counters, index, investors } = this.#modules;
    const definition = this.#rounds[round];
    const liveKey = form.live ? key : null;
    if (definition === undefined) return problemReply(form, { code: 'round-not-found' }, liveKey);

    const state = investors.get(investor);
    const earlier = earlierVerdict(index, state, round, investor, key);
    const position = state.position(round);
    const live = position !== undefined && (position.liveSequence !== 0 || position.liveRow !== null);
    const roundCurrency = this.#currencies[round]!;
    const atDecision = this.#atDecision;
    atDecision.definition = definition;
    atDecision.currency = roundCurrency;
    atDecision.state = counters.state(round);
    const applicant = this.#applicant;
    applicant.earlier = earlier;
    // A live row of this very batch has no sequence yet; that it is there is what counts here.
    applicant.liveSequence = live ? position.liveSequence || position.liveRow?.sequence || -1 : 0;
    applicant.known = state.known;
    applicant.eligible = state.eligible;
    applicant.available = state.available(roundCurrency);
    const decision = decide(atDecision as RoundAtDecision, wanted, applicant, counters, this.#nowMs);
    switch (decision.code) {
      case 'replay':
        return { kind: 'verdict', form, row: earlier!, round: definition, replayed: true };
      case 'accepted':
      case 'not-eligible':
      case 'already-invested':
      case 'insufficient-balance':
      case 'round-full': {
        const row = this.#draft(state, round, investor, key, decision.code, wanted.amount, decision.extra);
        return { kind: 'verdict', form, row, round: definition, replayed: false };
      }
      default:
        return problemReply(form, refusalOf(decision.code, definition, this.#nowMs), liveKey);
    }
  }

  #draft(
    state: InvestorState,
    round: number,
    investor: string,
    key: string,
    verdict: StickyVerdict,
    amount: number,
    extra: number,
  ): VerdictRow {
    const at = this.#nowMs;
    let code: number = VERDICT_CODES[verdict];
    let codeExtra = extra;
    let rowExtra = extra;
    if (extra === -1) {
      // The live investment is a row of this frame: told as how many rows back it is.
      const live = state.position(round)?.liveRow;
      codeExtra = this.#drafts.length - this.#drafts.indexOf(live as DraftVerdict);
      rowExtra = -codeExtra;
      code = VERDICT_CODES['already-invested-in-frame'];
    }
    this.#frame.addVerdict(at, round, code, amount, codeExtra, investor, key);
    const row: DraftVerdict = {
      kind: 'verdict',
      sequence: 0,
      at,
      round,
      investor,
      key,
      verdict,
      amount,
      extra: rowExtra,
    };
    this.#drafts.push(row);
    const position = state.enter(round);
    position.attempts++;
    state.remember(row);
    if (verdict === 'accepted') {
      position.liveRow = row;
      position.liveSequence = 0;
      position.liveAmount = amount;
      position.settled = false;
      this.#modules.counters.addInvestors(round, 1);
    }
    return row;
  }
}
