// The answer to an investment whose verdict is a row: read from the row itself, whether the index holds it or not, so
// that the first answer and every replay come from the same facts.

import type { InvestmentIds } from '../core/ids.js';
import { getU53 } from '../core/little-endian.js';
import { packMsgpack } from '../core/msgpack.js';
import { PROBLEMS, type Problem, problemObject } from '../core/problem.js';
import type { RoundDefinition } from '../core/round.js';
import { ROW_AT, ROW_TEXT_AT, VERDICT_AT } from '../core/row-layout.js';
import { STICKY_VERDICTS, type StickyVerdict, VERDICT_CODES, type VerdictRow } from '../core/rows.js';
import { Span } from '../core/span.js';
import { AcceptedWriter } from './accepted-writer.js';
import { type AnswerWriter, asciiJson, problemHead } from './answer-writer.js';
import type { RecentRows } from './recent-rows.js';
import type { ReplyForm } from './reply.js';

/** The text of a rejection over HTTP; the same one goes out to all who are late for a full round. */
interface RejectionText {
  readonly extra: number;
  readonly head: string;
  readonly body: Buffer;
}

type Rejection = Exclude<StickyVerdict, 'accepted'>;

const REPLAYED = '\r\nIdempotency-Replayed: true';

/** The problem that a rejected row answers with; `extra` is the row's. */
export function rejectionOf(ids: InvestmentIds, code: Rejection, extra: number): Problem {
  if (code === 'already-invested') return { code, members: { investment: ids.idOf(extra) } };
  return code === 'round-full' ? { code, members: { remaining: extra } } : { code };
}

export class VerdictWriter {
  readonly #ids: InvestmentIds;
  readonly #accepted: AcceptedWriter;
  readonly #investor = new Span();
  readonly #key = new Span();
  readonly #rejections = new Map<Rejection, RejectionText>();

  constructor(ids: InvestmentIds) {
    this.#ids = ids;
    this.#accepted = new AcceptedWriter(ids);
  }

  /** Answers with a row that the index does not hold yet; its frame has been committed. The verdict is returned. */
  writeRecent(
    out: AnswerWriter,
    form: ReplyForm,
    round: RoundDefinition,
    rows: RecentRows,
    row: number,
    replayed: boolean,
  ): StickyVerdict {
    const bytes = rows.bytesOf(row);
    const at = rows.offset(row);
    const sequence = rows.sequence(row);
    const textAt = at + ROW_TEXT_AT.verdict;
    const keyAt = textAt + bytes[at + ROW_AT.investorBytes]!;
    let code = bytes[at + ROW_AT.code]!;
    this.#key.set(bytes, keyAt, keyAt + bytes[at + VERDICT_AT.keyBytes]!);
    if (code === VERDICT_CODES.accepted) {
      this.#investor.set(bytes, textAt, keyAt);
      const amount = getU53(bytes, at + VERDICT_AT.amount);
      const atMs = getU53(bytes, at + ROW_AT.time);
      this.#accepted.write(out, form, round, sequence, this.#investor, this.#key, amount, atMs, replayed);
      return 'accepted';
    }
    let extra = getU53(bytes, at + VERDICT_AT.extra);
    if (code === VERDICT_CODES['already-invested-in-frame']) {
      code = VERDICT_CODES['already-invested'];
      extra = sequence - extra;
    }
    const verdict = STICKY_VERDICTS[code - 1] as Rejection;
    this.#reject(out, form, verdict, extra, this.#key, replayed);
    return verdict;
  }

  /** Replays a row that the index holds. */
  writeIndexed(out: AnswerWriter, form: ReplyForm, round: RoundDefinition, row: VerdictRow): void {
    this.#key.setText(row.key);
    if (row.verdict !== 'accepted') {
      this.#reject(out, form, row.verdict, row.extra, this.#key, true);
      return;
    }
    this.#investor.setText(row.investor);
    const { sequence, amount, at } = row;
    this.#accepted.write(out, form, round, sequence, this.#investor, this.#key, amount, at, true);
  }

  #reject(
    out: AnswerWriter,
    form: ReplyForm,
    verdict: Rejection,
    extra: number,
    key: Span,
    replayed: boolean,
  ): void {
    if (form.live) {
      const problem = problemObject(rejectionOf(this.#ids, verdict, extra));
      const status = problem['status'] as number;
      const message = { type: 'verdict', key: key.text(), status, replayed, problem };
      out.live(status, form.msgpack, form.msgpack ? packMsgpack(message) : asciiJson(message), 'none');
      return;
    }
    let text = this.#rejections.get(verdict);
    if (text?.extra !== extra) {
      const problem = rejectionOf(this.#ids, verdict, extra);
      const body = Buffer.from(asciiJson(problemObject(problem)), 'latin1');
      text = { extra, head: problemHead(problem), body };
      this.#rejections.set(verdict, text);
    }
    const head = replayed ? text.head + REPLAYED : text.head;
    out.http(PROBLEMS[verdict].status, head, text.body);
  }
}
