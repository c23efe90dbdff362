// Decides well-formed investments of one batch and puts the verdicts that stick into the frame in the making; `commit`
// makes them durable together. Between the two nothing may be told.

import type { Counters } from '../core/counters.js';
import { type Applicant, decide, type Proposal, type RoundAtDecision } from '../core/decide.js';
import type { InvestorName } from '../core/investor.js';
import { getU53 } from '../core/little-endian.js';
import { packCurrency } from '../core/money.js';
import type { RoundDefinition } from '../core/round.js';
import { VERDICT_AT } from '../core/row-layout.js';
import { STICKY_VERDICTS, VERDICT_CODES, type VerdictRow } from '../core/rows.js';
import type { Span } from '../core/span.js';
import type { IndexReader } from './index-db.js';
import type { JournalWriter } from './journal-writer.js';
import type { RecentRows } from './recent-rows.js';
import { refusalOf } from './refusal.js';
import { problemReply, type Replies, type ReplyForm } from './reply.js';
import { Standing } from './standing.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export interface AdmitterModules {
  readonly counters: Counters;
  readonly index: IndexReader;
  readonly writer: JournalWriter;
  readonly rows: RecentRows;
  readonly replies: Replies;
}

const NONE = -1;
/** To `decide` a live row of this very batch is there, whatever its sequence will be. */
const LIVE_IN_FRAME = -1;

export class Admitter {
  readonly standing: Standing;
  readonly #modules: AdmitterModules;
  readonly #rounds: (RoundDefinition | undefined)[] = [];
  readonly #currencies: number[] = [];
  /** Filled in for each decision: in a rush, objects that live for a microsecond are most of the garbage. */
  readonly #applicant: Writable<Applicant> = {
    earlier: null,
    liveSequence: 0,
    known: false,
    eligible: false,
    available: 0,
  };
  readonly #atDecision: Partial<Writable<RoundAtDecision>> = {};
  readonly #earlier = { verdict: STICKY_VERDICTS[0]!, amount: 0 };
  #nowMs = 0;

  constructor(modules: AdmitterModules) {
    this.#modules = modules;
    this.standing = new Standing(modules.index, modules.rows, (round) => this.#currencies[round] ?? 0);
  }

  setRound(definition: RoundDefinition): void {
    this.#rounds[definition.number] = definition;
    this.#currencies[definition.number] = packCurrency(definition.currency);
  }

  round(number: number): RoundDefinition | undefined {
    return this.#rounds[number];
  }

  roundById(id: string): RoundDefinition | undefined {
    return this.#rounds.find((round) => round?.id === id);
  }

  /**
   * Starts a batch, all of whose rows are of this instant.
   * @throws JournalFailed when it has failed: rows in memory may then be none on the disk, and nothing may be replayed
   */
  begin(nowMs: number): void {
    this.#modules.writer.assertWorks();
    this.#nowMs = nowMs;
    this.standing.begin();
    this.#modules.rows.open();
  }

  /**
   * Makes the batch's rows durable and gives them their sequences; how many there are.
   * @throws JournalFailed
   */
  commit(): number {
    const { rows, writer } = this.#modules;
    const { count } = rows.frame;
    if (count > 0) rows.committed(writer.append(rows.frame, this.#nowMs));
    return count;
  }

  /** Decides one investment and adds its reply; its row is in the frame when the verdict sticks to the key. */
  invest(investor: InvestorName, key: Span, round: number, wanted: Proposal, form: ReplyForm): void {
    const { counters, replies } = this.#modules;
    const definition = this.#rounds[round];
    if (definition === undefined) {
      replies.add(problemReply(form, { code: 'round-not-found' }, form.live ? key.text() : null));
      return;
    }
    const { standing } = this;
    standing.read(investor, round, key);
    const indexed = this.#indexedVerdict(investor, key, round);
    const roundCurrency = this.#currencies[round]!;
    const atDecision = this.#atDecision;
    atDecision.definition = definition;
    atDecision.currency = roundCurrency;
    atDecision.state = counters.state(round);
    const applicant = this.#applicant;
    applicant.earlier = indexed ?? this.#recentVerdict();
    applicant.liveSequence = standing.live ? standing.liveSequence || LIVE_IN_FRAME : 0;
    applicant.known = standing.known;
    applicant.eligible = standing.eligible;
    applicant.available = standing.available(roundCurrency);
    const decision = decide(atDecision as RoundAtDecision, wanted, applicant, counters, this.#nowMs);
    switch (decision.code) {
      case 'replay':
        if (indexed !== null) replies.add({ kind: 'replay', form, row: indexed, round: definition });
        else replies.addRow(form, definition, standing.keyRow, true);
        return;
      case 'accepted':
        counters.addInvestors(round, 1);
        replies.addRow(
          form,
          definition,
          this.#draft(investor, key, round, VERDICT_CODES.accepted, wanted, 0),
          false,
        );
        return;
      case 'already-invested': {
        const inFrame = decision.extra === LIVE_IN_FRAME;
        const code = VERDICT_CODES[inFrame ? 'already-invested-in-frame' : 'already-invested'];
        // A row of this frame is told as how many rows back it is.
        const extra = inFrame ? this.#modules.rows.next - standing.liveRow : decision.extra;
        replies.addRow(form, definition, this.#draft(investor, key, round, code, wanted, extra), false);
        return;
      }
      case 'not-eligible':
      case 'insufficient-balance':
      case 'round-full': {
        const code = VERDICT_CODES[decision.code];
        replies.addRow(
          form,
          definition,
          this.#draft(investor, key, round, code, wanted, decision.extra),
          false,
        );
        return;
      }
      default: {
        const problem = refusalOf(decision.code, definition, this.#nowMs);
        replies.add(problemReply(form, problem, form.live ? key.text() : null));
      }
    }
  }

  /** What the key was answered in a row that the index does not hold yet. */
  #recentVerdict(): Applicant['earlier'] {
    const { keyRow } = this.standing;
    if (keyRow === NONE) return null;
    const { rows } = this.#modules;
    const earlier = this.#earlier;
    // Which verdict it was makes no difference to the decision; the reply is made from the row.
    earlier.amount = getU53(rows.bytesOf(keyRow), rows.offset(keyRow) + VERDICT_AT.amount);
    return earlier;
  }

  /** What the key was answered long ago. */
  #indexedVerdict(investor: InvestorName, key: Span, round: number): VerdictRow | null {
    const { keyRow, indexedAttempts } = this.standing;
    if (keyRow !== NONE || indexedAttempts === 0) return null;
    const { index } = this.#modules;
    const name = investor.text();
    const sequence = index.getSequenceByKey(round, name, key.text());
    return sequence === 0 ? null : (index.getRow(round, name, sequence) ?? null);
  }

  /** Puts the verdict into the frame and answers its row number. */
  #draft(
    investor: InvestorName,
    key: Span,
    round: number,
    code: number,
    wanted: Proposal,
    extra: number,
  ): number {
    return this.#modules.rows.addVerdict(this.#nowMs, round, code, wanted.amount, extra, investor, key);
  }
}
