// The replies of one batch: decided before the commit, rendered after it, when the sequences are known. Verdicts that
// are rows, nearly all in a rush, are kept as numbers; every other reply is an object.

import type { InvestmentIds } from '../core/ids.js';
import { investmentObject } from '../core/investment-view.js';
import { BATCH_REQUESTS_MAX } from '../core/limits.js';
import { packMsgpack } from '../core/msgpack.js';
import { type Problem, problemObject } from '../core/problem.js';
import type { RoundDefinition } from '../core/round.js';
import type { VerdictRow } from '../core/rows.js';
import { statusLine } from '../core/status-line.js';
import { type AnswerWriter, asciiJson, type LiveFault } from './answer-writer.js';
import type { StoredInvestment } from './investment-reads.js';
import type { RecentRows } from './recent-rows.js';
import type { ShardStats } from './shard-stats.js';
import { VerdictWriter } from './verdict-writer.js';

/** Where a reply goes and in which encoding. */
export interface ReplyForm {
  readonly live: boolean;
  readonly msgpack: boolean;
}

/** What a client asked for, by the index of its form: 1 msgpack, 2 live. */
export const FORMS: readonly ReplyForm[] = [
  { live: false, msgpack: false },
  { live: false, msgpack: true },
  { live: true, msgpack: false },
  { live: true, msgpack: true },
];

const REPLAYED = 4;
const FORM = 3;

export type Reply =
  /** No verdict sticks: the problem is the answer. `key` of an `invest` on a live connection, else null. */
  | {
      readonly kind: 'problem';
      readonly form: ReplyForm;
      readonly problem: Problem;
      readonly key: string | null;
      readonly fault: LiveFault;
    }
  /** The verdict that this key had long ago: a row of the index. */
  | {
      readonly kind: 'replay';
      readonly form: ReplyForm;
      readonly row: VerdictRow;
      readonly round: RoundDefinition;
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

/** A problem as the reply; `key` is that of an `invest` on a live connection. */
export function problemReply(form: ReplyForm, problem: Problem, key: string | null = null): Reply {
  return { kind: 'problem', form, problem, key, fault: 'none' };
}

const JSON_TYPE = 'Content-Type: application/json';
const MSGPACK_TYPE = 'Content-Type: application/msgpack';
const OK = statusLine(200);

export class Replies {
  readonly #ids: InvestmentIds;
  readonly #verdicts: VerdictWriter;
  readonly #rows = new Float64Array(BATCH_REQUESTS_MAX);
  /** Index of the form, and REPLAYED. */
  readonly #marks = new Uint8Array(BATCH_REQUESTS_MAX);
  readonly #rounds: RoundDefinition[] = [];
  /** By place; where there is one the row does not count. */
  readonly #others: (Reply | null)[] = [];
  #count = 0;

  constructor(ids: InvestmentIds) {
    this.#ids = ids;
    this.#verdicts = new VerdictWriter(ids);
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  /** The next request is answered by a row, whose frame may still be in the making. */
  addRow(form: ReplyForm, round: RoundDefinition, row: number, replayed: boolean): void {
    const place = this.#count++;
    this.#rows[place] = row;
    this.#marks[place] = (form.live ? 2 : 0) + (form.msgpack ? 1 : 0) + (replayed ? REPLAYED : 0);
    this.#rounds[place] = round;
    this.#others[place] = null;
  }

  /** The next request is answered by anything else. */
  add(reply: Reply): void {
    this.#others[this.#count++] = reply;
  }

  /** Nothing of the batch may be told: this problem is the answer to every request but those of other shards. */
  refuseAll(problem: Problem, rows: RecentRows): void {
    for (let place = 0; place < this.#count; place++) {
      const other = this.#others[place] ?? null;
      if (other?.kind === 'misrouted') continue;
      const form = other?.form ?? FORMS[this.#marks[place]! & FORM]!;
      const row = other === null ? rows.read(this.#rows[place]!) : null;
      const key = row?.kind === 'verdict' ? row.key : other?.kind === 'problem' ? other.key : null;
      this.#others[place] = problemReply(form, problem, form.live ? key : null);
    }
  }

  /** Renders all of them, in order, and counts them. */
  render(rows: RecentRows, out: AnswerWriter, stats: ShardStats): void {
    for (let place = 0; place < this.#count; place++) {
      const other = this.#others[place] ?? null;
      if (other !== null) {
        this.#render(other, out);
        stats.countReply(other);
        continue;
      }
      const mark = this.#marks[place]!;
      const form = FORMS[mark & FORM]!;
      const replayed = (mark & REPLAYED) !== 0;
      const row = this.#rows[place]!;
      const verdict = this.#verdicts.writeRecent(out, form, this.#rounds[place]!, rows, row, replayed);
      if (replayed) stats.countReplay();
      else stats.countVerdict(verdict);
    }
  }

  #render(reply: Reply, out: AnswerWriter): void {
    switch (reply.kind) {
      case 'replay':
        this.#verdicts.writeIndexed(out, reply.form, reply.round, reply.row);
        return;
      case 'problem':
        if (reply.form.live) this.#liveProblem(reply, out);
        else out.problem(reply.problem);
        return;
      case 'one': {
        const stored = reply.read();
        if (stored === null)
          out.problem({ code: 'not-found', detail: 'You have no investment with this id in this round.' });
        else this.#ok(reply.form, this.#view(reply.round, stored), out);
        return;
      }
      case 'list':
        this.#ok(reply.form, { investments: this.#views(reply.round, reply.read()) }, out);
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

  #ok(form: ReplyForm, body: Record<string, unknown>, out: AnswerWriter): void {
    if (form.msgpack) out.http(200, `${OK}\r\n${MSGPACK_TYPE}`, packMsgpack(body));
    else out.http(200, `${OK}\r\n${JSON_TYPE}`, asciiJson(body));
  }

  #liveProblem(reply: Extract<Reply, { kind: 'problem' }>, out: AnswerWriter): void {
    const problem = problemObject(reply.problem);
    if (reply.problem.retryAfterS !== undefined) problem['retryAfter'] = reply.problem.retryAfterS;
    const status = problem['status'] as number;
    const { form, key, fault } = reply;
    const message =
      key !== null && fault === 'none'
        ? { type: 'verdict', key, status, replayed: false, problem }
        : { type: 'problem', ...(key === null ? {} : { key }), problem };
    out.live(status, form.msgpack, form.msgpack ? packMsgpack(message) : asciiJson(message), fault);
  }
}
