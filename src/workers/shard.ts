// An admission shard: the investors whose hash falls to it, one batch at a time.
//
// A batch is decided request by request in the order of arrival, written as one journal frame, synced, and only then
// answered. Nothing here needs a lock: an investor belongs to one shard, and the cap is the counters' business.

import type { Counters } from '../core/counters.js';
import { InvestmentIds } from '../core/ids.js';
import { InvestorName } from '../core/investor.js';
import type { LeaseWord } from '../core/lease-word.js';
import { FENCED, type Problem } from '../core/problem.js';
import { RateLimiter } from '../core/rate-limit.js';
import { RequestReader } from '../core/request-reader.js';
import type { RoundDefinition } from '../core/round.js';
import type { Span } from '../core/span.js';
import { TokenReader } from '../core/token-reader.js';
import { Admitter } from './admitter.js';
import type { AnswerWriter } from './answer-writer.js';
import type { IndexReader } from './index-db.js';
import { listInvestments, readInvestment, type StoredInvestment } from './investment-reads.js';
import type { JournalWriter } from './journal-writer.js';
import { REQUEST, type ShardOptions } from './protocol.js';
import { RecentRows } from './recent-rows.js';
import { FORMS, problemReply, Replies, type Reply, type ReplyForm } from './reply.js';
import { narrowToKey, RequestCursor } from './request-cursor.js';
import type { ShardStats } from './shard-stats.js';

interface ShardModules {
  readonly counters: Counters;
  readonly index: IndexReader;
  readonly writer: JournalWriter;
  readonly stats: ShardStats;
  /** Until when this process may admit; absent: it does not end. */
  readonly lease?: LeaseWord;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Milliseconds, never set back: the rate limit must not lock anybody out when the clock is corrected. */
  readonly monotonic?: () => number;
}

const UNAUTHENTICATED: Problem = { code: 'unauthenticated' };
const ROUND_NOT_FOUND: Problem = { code: 'round-not-found' };
const BAD_KEY_HEADER: Problem = {
  code: 'malformed-request',
  detail:
    'The Idempotency-Key header must be 1 to 64 characters of A-Z a-z 0-9 _ -, bare or in double quotes.',
  members: { pointer: '' },
};
const BAD_KEY_MEMBER: Problem = {
  code: 'malformed-request',
  detail: 'key must be 1 to 64 characters of A-Z a-z 0-9 _ -',
  members: { pointer: '/key' },
};

export class Shard {
  /** The rows of this shard that the index does not hold yet. */
  readonly rows = new RecentRows();
  readonly admitter: Admitter;
  readonly ids: InvestmentIds;
  readonly #options: ShardOptions;
  readonly #modules: ShardModules;
  readonly #monotonic: () => number;
  readonly #tokens: TokenReader;
  readonly #limiter: RateLimiter;
  readonly #replies: Replies;
  readonly #reader = new RequestReader();
  readonly #cursor = new RequestCursor();
  /** Whom a live connection speaks for. */
  readonly #connected = new InvestorName();
  #nowMs = 0;
  #monotonicMs = 0;

  constructor(options: ShardOptions, modules: ShardModules) {
    this.#options = options;
    this.#modules = modules;
    this.#monotonic = modules.monotonic ?? performance.now.bind(performance);
    this.#tokens = new TokenReader(options.token);
    this.#limiter = new RateLimiter(options.ratePerS, options.rateBurst);
    this.ids = new InvestmentIds(options.lineage);
    this.#replies = new Replies(this.ids);
    this.admitter = new Admitter({ ...modules, rows: this.rows, replies: this.#replies });
    for (const definition of options.rounds) this.setRound(definition);
  }

  setRound(definition: RoundDefinition): void {
    this.admitter.setRound(definition);
  }

  /** Renews what is read of the index; before anything but a batch looks at investors. */
  refresh(): void {
    this.admitter.standing.begin();
  }

  /**
   * Decides, commits and answers the batch in `requests[0, length)`; how many answers there are.
   * @throws JournalFailed when the commit failed: then none of its verdicts may be told
   */
  process(requests: Buffer, length: number, out: AnswerWriter): number {
    const { stats, clock } = this.#modules;
    const startedNs = process.hrtime.bigint();
    this.#nowMs = clock();
    this.#monotonicMs = this.#monotonic();
    this.admitter.begin(this.#nowMs);
    const replies = this.#replies;
    replies.clear();

    const cursor = this.#cursor;
    cursor.open(requests, length);
    const mayDecide = !this.#isFenced(startedNs);
    while (cursor.next()) {
      if (mayDecide) this.#decide();
      else replies.add(problemReply(this.#form, FENCED));
    }
    const decidedNs = process.hrtime.bigint();

    const rows = this.admitter.commit();
    // A batch without rows may still show rows of earlier frames; those are synced, for an append syncs before it returns.
    const committedNs = process.hrtime.bigint();
    // What was journaled after another could have taken over may not count: nobody is told that it does.
    if (mayDecide && this.#isFenced(committedNs)) replies.refuseAll(FENCED, this.rows);

    replies.render(this.rows, out, stats);
    stats.countBatch(replies.count, rows, startedNs, decidedNs, committedNs);
    stats.setGauges(this.rows.size, this.rows.bytes, this.admitter.standing.indexReads);
    return replies.count;
  }

  #isFenced(nowNs: bigint): boolean {
    return this.#modules.lease?.expired(nowNs) ?? false;
  }

  /** How the current request wants to be answered. */
  get #form(): ReplyForm {
    const { kind, msgpackAnswer } = this.#cursor;
    return FORMS[(kind === REQUEST.live ? 2 : 0) + (msgpackAnswer ? 1 : 0)]!;
  }

  #decide(): void {
    const cursor = this.#cursor;
    const form = this.#form;
    switch (cursor.kind) {
      case REQUEST.live:
        this.#liveFrame(form);
        return;
      case REQUEST.identify:
        this.#replies.add(this.#identify(cursor.token, form, 'none'));
        return;
      case REQUEST.invest:
      case REQUEST.readOne:
      case REQUEST.readList:
        this.#http(form);
        return;
      default:
        this.#replies.add(problemReply(form, { code: 'internal' }));
    }
  }

  #http(form: ReplyForm): void {
    const { kind, token } = this.#cursor;
    const replies = this.#replies;
    if (!this.#tokens.read(token.bytes, token.start, token.end, this.#nowMs)) {
      replies.add(problemReply(form, UNAUTHENTICATED));
      return;
    }
    const { investor } = this.#tokens;
    const turnedAway = this.#turnAway(investor, form, null);
    if (turnedAway !== null) replies.add(turnedAway);
    else if (kind === REQUEST.invest) this.#httpInvest(investor, form);
    else replies.add(this.#read(investor, form));
  }

  /** Another shard's investor, or one who sends too fast; null lets the request pass. `key`: of a live `invest`. */
  #turnAway(investor: InvestorName, form: ReplyForm, key: Span | null): Reply | null {
    const { shard, shards } = this.#options;
    if (shards > 1) {
      const owner = investor.hash % shards;
      if (owner !== shard) return { kind: 'misrouted', shard: owner };
    }
    const waitMs = this.#limiter.take(investor.hash53, this.#monotonicMs);
    if (waitMs === 0) return null;
    const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000));
    return problemReply(form, { code: 'too-many-requests', retryAfterS }, key?.text() ?? null);
  }

  #httpInvest(investor: InvestorName, form: ReplyForm): void {
    const cursor = this.#cursor;
    const reader = this.#reader;
    if (!narrowToKey(cursor.key)) this.#replies.add(problemReply(form, BAD_KEY_HEADER));
    else if (!reader.read(cursor.bytes, cursor.bodyStart, cursor.bodyEnd, cursor.msgpackBody, 'investment'))
      this.#replies.add(problemReply(form, malformed(reader)));
    else this.admitter.invest(investor, cursor.key, cursor.round, reader, form);
  }

  #read(name: InvestorName, form: ReplyForm): Reply {
    const cursor = this.#cursor;
    const round = this.admitter.round(cursor.round);
    if (round === undefined) return problemReply(form, ROUND_NOT_FOUND);
    const investor = name.text();
    if (cursor.kind === REQUEST.readList) {
      return { kind: 'list', form, round, read: () => this.#list(investor, round.number) };
    }
    const sequence = this.ids.sequenceOf(cursor.key.text());
    return { kind: 'one', form, round, read: () => this.#one(investor, round.number, sequence) };
  }

  // What follows reads when the batch has been committed: only then do all rows have a sequence.

  #list(investor: string, round: number): StoredInvestment[] {
    return listInvestments(this.#modules.index, this.#recentOf(investor), round, investor);
  }

  #one(investor: string, round: number, sequence: number): StoredInvestment | null {
    if (sequence === 0) return null;
    return readInvestment(this.#modules.index, this.#recentOf(investor), round, investor, sequence);
  }

  #recentOf(investor: string): ReturnType<RecentRows['rowsOf']> {
    const name = new InvestorName();
    name.takeText(investor);
    return this.rows.rowsOf(name);
  }

  #identify(token: Span, form: ReplyForm, fault: 'none' | 'nonsense'): Reply {
    if (!this.#tokens.read(token.bytes, token.start, token.end, this.#nowMs))
      return { kind: 'problem', form, problem: UNAUTHENTICATED, key: null, fault };
    const { investor: name, expiresAtS } = this.#tokens;
    const turnedAway = this.#turnAway(name, form, null);
    if (turnedAway !== null) return turnedAway;
    const round = this.admitter.round(this.#cursor.round);
    if (round === undefined) return problemReply(form, ROUND_NOT_FOUND);
    const investor = name.text();
    const read = () => this.#list(investor, round.number);
    return { kind: 'identified', form, round, investor, expiresAtMs: expiresAtS * 1000, read };
  }

  #liveFrame(form: ReplyForm): void {
    const cursor = this.#cursor;
    const reader = this.#reader;
    const replies = this.#replies;
    if (!reader.read(cursor.bytes, cursor.bodyStart, cursor.bodyEnd, cursor.msgpackBody, 'message')) {
      const fault = reader.pointer === '' ? 'undecodable' : 'nonsense';
      replies.add({ kind: 'problem', form, problem: malformed(reader), key: reader.keyText(), fault });
      return;
    }
    if (reader.type === 'auth') {
      replies.add(this.#identify(reader.token, form, 'nonsense'));
      return;
    }
    const { key } = reader;
    if (!reader.hasKey || !narrowToKey(key)) {
      replies.add({ kind: 'problem', form, problem: BAD_KEY_MEMBER, key: null, fault: 'nonsense' });
      return;
    }
    const investor = this.#liveInvestor();
    if (investor === null) {
      replies.add(problemReply(form, UNAUTHENTICATED, key.text()));
      return;
    }
    const turnedAway = this.#turnAway(investor, form, key);
    if (turnedAway !== null) replies.add(turnedAway);
    else this.admitter.invest(investor, key, cursor.round, reader, form);
  }

  /** The one a message speaks for: its own token's, else the connection's. */
  #liveInvestor(): InvestorName | null {
    const { hasToken, token } = this.#reader;
    if (hasToken) {
      const isGood = this.#tokens.read(token.bytes, token.start, token.end, this.#nowMs);
      return isGood ? this.#tokens.investor : null;
    }
    const connection = this.#cursor.token;
    this.#connected.set(connection.bytes, connection.start, connection.end);
    return this.#connected.take() ? this.#connected : null;
  }
}

function malformed(reader: RequestReader): Problem {
  return { code: 'malformed-request', detail: `${reader.reason}.`, members: { pointer: reader.pointer } };
}
