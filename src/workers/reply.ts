// One reply of a batch: decided before the commit, rendered after it, when the sequences are known.

import type { InvestmentIds } from '../core/ids.js';
import { acceptedJson, acceptedObject, investmentObject } from '../core/investment-view.js';
import { packMsgpack } from '../core/msgpack.js';
import { PROBLEMS, type Problem, problemObject } from '../core/problem.js';
import type { RoundDefinition } from '../core/round.js';
import type { VerdictRow } from '../core/rows.js';
import { statusLine } from '../core/status-line.js';
import { type AnswerWriter, asciiJson, problemHead } from './answer-writer.js';
import type { StoredInvestment } from './investment-reads.js';

/** Where a reply goes and in which encoding. */
export interface ReplyForm {
  readonly live: boolean;
  readonly msgpack: boolean;
}

export type Reply =
  /** A verdict that is a row; `key` is what a live client sent. */
  | {
      readonly kind: 'verdict';
      readonly form: ReplyForm;
      readonly row: VerdictRow;
      readonly round: RoundDefinition;
      readonly replayed: boolean;
    }
  /** No verdict sticks: the problem is the answer. `key` of an `invest` on a live connection, else null. */
  | {
      readonly kind: 'problem';
      readonly form: ReplyForm;
      readonly problem: Problem;
      readonly key: string | null;
      readonly fault: 'none' | 'nonsense' | 'undecodable';
    }
  | {
      readonly kind: 'one';
      readonly form: ReplyForm;
      readonly round: RoundDefinition;
      readonly read: () => StoredInvestment | null;
    }
  | {
      readonly kind: 'list';
      readonly form: ReplyForm;
      readonly round: RoundDefinition;
      readonly read: () => StoredInvestment[];
    }
  | {
      readonly kind: 'identified';
      readonly form: ReplyForm;
      readonly round: RoundDefinition;
      readonly investor: string;
      readonly expiresAtMs: number;
      readonly read: () => StoredInvestment[];
    }
  | { readonly kind: 'misrouted'; readonly shard: number };

const JSON_TYPE = 'Content-Type: application/json';
const MSGPACK_TYPE = 'Content-Type: application/msgpack';
const CREATED = statusLine(201);
const OK = statusLine(200);

/** A problem as the reply; `key` is that of an `invest` on a live connection. */
export function problemReply(form: ReplyForm, problem: Problem, key: string | null = null): Reply {
  return { kind: 'problem', form, problem, key, fault: 'none' };
}

/** The problem that a rejected row answers with. */
export function problemOfRow(ids: InvestmentIds, row: VerdictRow): Problem {
  switch (row.verdict) {
    case 'already-invested':
      return { code: 'already-invested', members: { investment: ids.idOf(row.extra) } };
    case 'round-full':
      return { code: 'round-full', members: { remaining: row.extra } };
    case 'not-eligible':
    case 'insufficient-balance':
      return { code: row.verdict };
    case 'accepted':
      return { code: 'internal' };
  }
}

export class Renderer {
  readonly #ids: InvestmentIds;

  constructor(ids: InvestmentIds) {
    this.#ids = ids;
  }

  render(reply: Reply, out: AnswerWriter): void {
    switch (reply.kind) {
      case 'verdict':
        if (reply.form.live) this.#liveVerdict(reply.form, reply.row, reply.round, reply.replayed, out);
        else this.#httpVerdict(reply.form, reply.row, reply.round, reply.replayed, out);
        return;
      case 'problem':
        if (reply.form.live) this.#liveProblem(reply, out);
        else out.problem(reply.problem);
        return;
      case 'one': {
        const stored = reply.read();
        if (stored === null)
          out.problem({ code: 'not-found', detail: 'You have no investment with this id in this round.' });
        else this.#http(200, OK, reply.form, this.#view(reply.round, stored), out);
        return;
      }
      case 'list':
        this.#http(200, OK, reply.form, { investments: this.#views(reply.round, reply.read()) }, out);
        return;
      case 'identified': {
        const views = this.#views(reply.round, reply.read());
        const body = reply.form.msgpack ? packMsgpack(views) : asciiJson(views);
        out.identified(reply.investor, reply.expiresAtMs, reply.form.msgpack, body);
        return;
      }
      case 'misrouted':
        out.misrouted(reply.shard);
    }
  }

  #view(round: RoundDefinition, stored: StoredInvestment): Record<string, unknown> {
    return investmentObject(this.#ids, round, stored.row, stored.outcome);
  }

  #views(round: RoundDefinition, stored: readonly StoredInvestment[]): Record<string, unknown>[] {
    return stored.map((each) => this.#view(round, each));
  }

  #http(
    status: number,
    line: string,
    form: ReplyForm,
    body: Record<string, unknown>,
    out: AnswerWriter,
  ): void {
    if (form.msgpack) out.http(status, `${line}\r\n${MSGPACK_TYPE}`, packMsgpack(body));
    else out.http(status, `${line}\r\n${JSON_TYPE}`, asciiJson(body));
  }

  #httpVerdict(
    form: ReplyForm,
    row: VerdictRow,
    round: RoundDefinition,
    replayed: boolean,
    out: AnswerWriter,
  ): void {
    const replay = replayed ? '\r\nIdempotency-Replayed: true' : '';
    if (row.verdict !== 'accepted') {
      const problem = problemOfRow(this.#ids, row);
      out.http(
        PROBLEMS[problem.code].status,
        problemHead(problem) + replay,
        asciiJson(problemObject(problem)),
      );
      return;
    }
    const location = `\r\nLocation: /v1/rounds/${round.id}/investments/${this.#ids.idOf(row.sequence)}`;
    if (form.msgpack) {
      const body = packMsgpack(acceptedObject(this.#ids, round, row));
      out.http(201, `${CREATED}\r\n${MSGPACK_TYPE}${location}${replay}`, body);
    } else {
      out.http(201, `${CREATED}\r\n${JSON_TYPE}${location}${replay}`, acceptedJson(this.#ids, round, row));
    }
  }

  #liveVerdict(
    form: ReplyForm,
    row: VerdictRow,
    round: RoundDefinition,
    replayed: boolean,
    out: AnswerWriter,
  ): void {
    const { key } = row;
    if (row.verdict === 'accepted') {
      if (form.msgpack) {
        const investment = acceptedObject(this.#ids, round, row);
        out.live(201, true, packMsgpack({ type: 'verdict', key, status: 201, replayed, investment }), 'none');
      } else {
        const investment = acceptedJson(this.#ids, round, row);
        // A key is of A-Z a-z 0-9 _ - alone: nothing in it needs escaping.
        const text = `{"type":"verdict","key":"${key}","status":201,"replayed":${replayed},"investment":${investment}}`;
        out.live(201, false, text, 'none');
      }
      return;
    }
    const problem = problemObject(problemOfRow(this.#ids, row));
    const status = problem['status'] as number;
    this.#live(status, form, { type: 'verdict', key, status, replayed, problem }, 'none', out);
  }

  #liveProblem(reply: Extract<Reply, { kind: 'problem' }>, out: AnswerWriter): void {
    const problem = problemObject(reply.problem);
    if (reply.problem.retryAfterS !== undefined) problem['retryAfter'] = reply.problem.retryAfterS;
    const status = problem['status'] as number;
    const message =
      reply.key !== null && reply.fault === 'none'
        ? { type: 'verdict', key: reply.key, status, replayed: false, problem }
        : { type: 'problem', ...(reply.key === null ? {} : { key: reply.key }), problem };
    this.#live(status, reply.form, message, reply.fault, out);
  }

  #live(
    status: number,
    form: ReplyForm,
    message: Record<string, unknown>,
    fault: 'none' | 'nonsense' | 'undecodable',
    out: AnswerWriter,
  ): void {
    out.live(status, form.msgpack, form.msgpack ? packMsgpack(message) : asciiJson(message), fault);
  }
}
