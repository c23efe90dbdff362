// An admission shard: the investors whose hash falls to it, one batch at a time.
//
// A batch is decided request by request in the order of arrival, written as one journal frame, synced, and only then
// answered. Nothing here needs a lock: an investor belongs to one shard, and the cap is the counters' business.

import type { Counters } from '../core/counters.js';
import { InvestmentIds } from '../core/ids.js';
import { investorHash } from '../core/investor.js';
import type { Problem } from '../core/problem.js';
import { RateLimiter } from '../core/rate-limit.js';
import { RequestReader } from '../core/request-reader.js';
import type { RoundDefinition } from '../core/round.js';
import { type TokenClaims, TokenVerifier } from '../core/token.js';
import { Admitter } from './admitter.js';
import { AnswerWriter } from './answer-writer.js';
import type { IndexReader } from './index-db.js';
import { listInvestments, readInvestment } from './investment-reads.js';
import { InvestorCache } from './investor-cache.js';
import type { JournalWriter } from './journal-writer.js';
import { type BatchResult, type BatchTask, REQUEST, type ShardOptions } from './protocol.js';
import { problemReply, Renderer, type Reply, type ReplyForm } from './reply.js';
import { RequestCursor, readIdempotencyKey } from './request-cursor.js';
import type { ShardStats } from './shard-stats.js';

interface ShardModules {
  readonly counters: Counters;
  readonly index: IndexReader;
  readonly writer: JournalWriter;
  readonly stats: ShardStats;
  /** Index mark in shared memory: the sequence up to which everything is in the index. */
  readonly indexMark: () => number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Milliseconds, never set back: the rate limit must not lock anybody out when the clock is corrected. */
  readonly monotonic?: () => number;
  /** Made from the index when absent. */
  readonly investors?: InvestorCache;
}

const FORMS: readonly ReplyForm[] = [
  { live: false, msgpack: false },
  { live: false, msgpack: true },
  { live: true, msgpack: false },
  { live: true, msgpack: true },
];

const UNAUTHENTICATED: Problem = { code: 'unauthenticated' };
const ROUND_NOT_FOUND: Problem = { code: 'round-not-found' };

export class Shard {
  readonly #options: ShardOptions;
  readonly #modules: ShardModules;
  readonly #verifier: TokenVerifier;
  readonly #limiter: RateLimiter;
  readonly #ids: InvestmentIds;
  readonly #renderer: Renderer;
  readonly #reader = new RequestReader();
  readonly #cursor = new RequestCursor();
  readonly #admitter: Admitter;
  readonly investors: InvestorCache;
  #replies: Reply[] = [];
  #nowMs = 0;
  #monotonicMs = 0;

  constructor(options: ShardOptions, modules: ShardModules) {
    this.#options = options;
    this.#modules = modules;
    this.#verifier = new TokenVerifier(options.token);
    this.#limiter = new RateLimiter(options.ratePerS, options.rateBurst);
    this.#ids = new InvestmentIds(options.lineage);
    this.#renderer = new Renderer(this.#ids);
    this.investors = modules.investors ?? new InvestorCache(modules.index);
    this.#admitter = new Admitter({ ...modules, investors: this.investors });
    for (const definition of options.rounds) this.setRound(definition);
  }

  setRound(definition: RoundDefinition): void {
    this.#admitter.setRound(definition);
  }

  /**
   * Decides, commits and answers one batch.
   * @throws JournalFailed when the commit failed: then none of its verdicts may be told
   */
  process(task: BatchTask): BatchResult {
    const { stats, indexMark, clock, monotonic = performance.now.bind(performance) } = this.#modules;
    const startedNs = process.hrtime.bigint();
    this.#nowMs = clock();
    this.#monotonicMs = monotonic();
    this.investors.begin(indexMark());
    this.#admitter.begin(this.#nowMs);
    this.#replies = [];

    const cursor = this.#cursor;
    cursor.open(task.requests, task.length);
    while (cursor.next()) this.#replies.push(this.#decide());
    const decidedNs = process.hrtime.bigint();

    const rows = this.#admitter.commit();
    // A batch without rows may still show rows of earlier frames; those are synced, for an append syncs before it returns.
    const committedNs = process.hrtime.bigint();

    const out = new AnswerWriter(task.answers);
    for (const reply of this.#replies) {
      this.#renderer.render(reply, out);
      stats.countReply(reply);
    }
    stats.countBatch(this.#replies.length, rows, startedNs, decidedNs, committedNs);
    stats.setGauges(this.investors.size, this.investors.indexReads);
    return { requests: task.requests, answers: out.memory, count: this.#replies.length, failed: false };
  }

  #decide(): Reply {
    const { cursor, form, round } = this.#current();
    switch (cursor.kind) {
      case REQUEST.live:
        return this.#liveFrame(form, round);
      case REQUEST.identify:
        return this.#identify(cursor.token(), form, round, 'none');
      case REQUEST.invest:
      case REQUEST.readOne:
      case REQUEST.readList:
        break;
      default:
        return problemReply(form, { code: 'internal' });
    }
    const claims = this.#verifier.verify(cursor.token(), this.#nowMs);
    if (claims === null) return problemReply(form, UNAUTHENTICATED);
    const turnedAway = this.#turnAway(claims.investor, form, null);
    if (turnedAway !== null) return turnedAway;
    if (cursor.kind === REQUEST.invest) return this.#httpInvest(claims.investor, form);
    if (round === undefined) return problemReply(form, ROUND_NOT_FOUND);
    return this.#read(claims.investor, form, round);
  }

  #current(): { cursor: RequestCursor; form: ReplyForm; round: RoundDefinition | undefined } {
    const cursor = this.#cursor;
    const form = FORMS[(cursor.kind === REQUEST.live ? 2 : 0) + (cursor.msgpackAnswer ? 1 : 0)]!;
    return { cursor, form, round: this.#admitter.round(cursor.round) };
  }

  /** Another shard's investor, or one who sends too fast; null lets the request pass. `key`: of a live `invest`. */
  #turnAway(investor: string, form: ReplyForm, key: string | null): Reply | null {
    const { shard, shards } = this.#options;
    if (shards > 1) {
      const owner = investorHash(investor) % shards;
      if (owner !== shard) return { kind: 'misrouted', shard: owner };
    }
    const waitMs = this.#limiter.take(investor, this.#monotonicMs);
    if (waitMs === 0) return null;
    return problemReply(
      form,
      { code: 'too-many-requests', retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) },
      key,
    );
  }

  #httpInvest(investor: string, form: ReplyForm): Reply {
    const cursor = this.#cursor;
    const key = readIdempotencyKey(cursor.key());
    if (key === null) {
      return problemReply(form, {
        code: 'malformed-request',
        detail:
          'The Idempotency-Key header must be 1 to 64 characters of A-Z a-z 0-9 _ -, bare or in double quotes.',
        members: { pointer: '' },
      });
    }
    const reader = this.#reader;
    if (!reader.read(cursor.bytes, cursor.bodyStart, cursor.bodyEnd, cursor.msgpackBody, 'investment')) {
      return problemReply(form, malformed(reader));
    }
    return this.#admitter.invest(investor, key, this.#cursor.round, reader, form);
  }

  #read(investor: string, form: ReplyForm, round: RoundDefinition): Reply {
    const { index } = this.#modules;
    const state = this.investors.get(investor);
    if (this.#cursor.kind === REQUEST.readList) {
      return { kind: 'list', form, round, read: () => listInvestments(index, state, round.number, investor) };
    }
    const sequence = this.#ids.sequenceOf(this.#cursor.key());
    return {
      kind: 'one',
      form,
      round,
      read: () => (sequence === 0 ? null : readInvestment(index, state, round.number, investor, sequence)),
    };
  }

  #identify(
    token: string,
    form: ReplyForm,
    round: RoundDefinition | undefined,
    fault: 'none' | 'nonsense',
  ): Reply {
    const claims = this.#verifier.verify(token, this.#nowMs);
    if (claims === null) return { kind: 'problem', form, problem: UNAUTHENTICATED, key: null, fault };
    const turnedAway = this.#turnAway(claims.investor, form, null);
    if (turnedAway !== null) return turnedAway;
    if (round === undefined) return problemReply(form, ROUND_NOT_FOUND);
    const { index } = this.#modules;
    const { investor, exp } = claims;
    const state = this.investors.get(investor);
    const read = () => listInvestments(index, state, round.number, investor);
    return { kind: 'identified', form, round, investor, expiresAtMs: exp * 1000, read };
  }

  #liveFrame(form: ReplyForm, round: RoundDefinition | undefined): Reply {
    const cursor = this.#cursor;
    const reader = this.#reader;
    if (!reader.read(cursor.bytes, cursor.bodyStart, cursor.bodyEnd, cursor.msgpackBody, 'message')) {
      const fault = reader.pointer === '' ? 'undecodable' : 'nonsense';
      return { kind: 'problem', form, problem: malformed(reader), key: reader.key, fault };
    }
    if (reader.type === 'auth') return this.#identify(reader.token ?? '', form, round, 'nonsense');
    const key = readIdempotencyKey(reader.key ?? '');
    if (key === null) {
      const detail = 'key must be 1 to 64 characters of A-Z a-z 0-9 _ -';
      const bad: Problem = { code: 'malformed-request', detail, members: { pointer: '/key' } };
      return { kind: 'problem', form, problem: bad, key: null, fault: 'nonsense' };
    }
    const investor = this.#liveInvestor(reader.token);
    if (investor === null) return problemReply(form, UNAUTHENTICATED, key);
    const turnedAway = this.#turnAway(investor, form, key);
    return turnedAway ?? this.#admitter.invest(investor, key, cursor.round, reader, form);
  }

  /** The one a message speaks for: its own token's, else the connection's. */
  #liveInvestor(token: string | null): string | null {
    if (token === null) return this.#cursor.token() || null;
    const claims: TokenClaims | null = this.#verifier.verify(token, this.#nowMs);
    return claims === null ? null : claims.investor;
  }
}

function malformed(reader: RequestReader): Problem {
  return { code: 'malformed-request', detail: `${reader.reason}.`, members: { pointer: reader.pointer } };
}
