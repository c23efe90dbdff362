// The answer to an accepted investment, written byte by byte into the slab of answers: constants of the round are
// copied, the rest is put between them. One writer for the first answer and for every replay, so that they are the
// same bytes; what GET shows later is core/investment-view.ts.

import { putBase36, putDecimal } from '../core/digits.js';
import type { InvestmentIds } from '../core/ids.js';
import { timestamp } from '../core/investment-view.js';
import type { RoundDefinition } from '../core/round.js';
import type { Span } from '../core/span.js';
import { statusLine } from '../core/status-line.js';
import type { AnswerWriter } from './answer-writer.js';
import { ANSWER, ANSWER_FLAG } from './protocol.js';
import type { ReplyForm } from './reply.js';

/** More than everything that is not an investor or a key takes. */
const TEXT_BYTES_MAX = 1024;
const CREATED = 201;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE = 0x7d;
const STR_8 = 0xd9;
const UINT_8 = 0xcc;
const UINT_16 = 0xcd;
const UINT_32 = 0xce;
const UINT_64 = 0xcf;
const FIXSTR = 0xa0;
const FIXSTR_CHARS_MAX = 31;
const WORD = 0x1_0000_0000;

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const fixstr = (value: string): string => String.fromCharCode(FIXSTR + value.length) + value;

const REPLAYED_HEADER = text('\r\nIdempotency-Replayed: true');
const LIVE_JSON = text('{"type":"verdict","key":"');
const LIVE_JSON_NEW = text('","status":201,"replayed":false,"investment":');
const LIVE_JSON_REPLAYED = text('","status":201,"replayed":true,"investment":');
const LIVE_PACKED = text(`\x85${fixstr('type')}${fixstr('verdict')}${fixstr('key')}`);
const livePacked = (replayed: boolean): Buffer =>
  text(
    `${fixstr('status')}\xcc\xc9${fixstr('replayed')}${replayed ? '\xc3' : '\xc2'}${fixstr('investment')}`,
  );
const LIVE_PACKED_NEW = livePacked(false);
const LIVE_PACKED_REPLAYED = livePacked(true);
const JSON_AMOUNT = text('","amount":');
const PACKED_AMOUNT = text(fixstr('amount'));

/** What of an answer is the same for every investment of a round, but those of another journal's time. */
interface Template {
  readonly round: RoundDefinition;
  readonly journalId: string;
  readonly jsonHead: Buffer;
  readonly packedHead: Buffer;
  readonly jsonId: Buffer;
  readonly jsonInvestor: Buffer;
  readonly jsonSequence: Buffer;
  readonly packedId: Buffer;
  readonly packedIdStart: Buffer;
  readonly packedInvestor: Buffer;
  readonly packedSequence: Buffer;
  readonly packedAt: Buffer;
}

export class AcceptedWriter {
  readonly #ids: InvestmentIds;
  readonly #templates: (Template | undefined)[] = [];
  #at = -1;
  /** The time that was written last, alone and as the end of a JSON answer: nearly always that of the batch. */
  #atText: Buffer = Buffer.alloc(0);
  #jsonEnd: Buffer = Buffer.alloc(0);
  readonly #digits = Buffer.alloc(16);

  constructor(ids: InvestmentIds) {
    this.#ids = ids;
  }

  /** Writes the answer to the investment with this sequence. `key` is told on live connections. */
  write(
    out: AnswerWriter,
    form: ReplyForm,
    round: RoundDefinition,
    sequence: number,
    investor: Span,
    key: Span,
    amount: number,
    atMs: number,
    replayed: boolean,
  ): void {
    const template = this.#template(round, this.#ids.journalOf(sequence));
    if (atMs !== this.#at) {
      this.#at = atMs;
      const at = timestamp(atMs);
      this.#atText = text(at);
      this.#jsonEnd = text(`,"acceptedAt":"${at}"}`);
    }
    const start = out.reserve(TEXT_BYTES_MAX + 2 * (investor.length + key.length));
    const { bytes } = out;
    const { msgpack, live } = form;
    let at = start;
    if (live)
      at = msgpack ? livePackedHead(bytes, at, key, replayed) : liveJsonHead(bytes, at, key, replayed);
    else {
      at = put(bytes, at, msgpack ? template.packedHead : template.jsonHead);
      at = putBase36(bytes, at, sequence);
      if (replayed) at = put(bytes, at, REPLAYED_HEADER);
    }
    const headEnd = live ? start : at;
    if (msgpack) at = this.#packed(bytes, at, template, sequence, investor, amount);
    else at = this.#json(bytes, at, template, sequence, investor, amount);
    if (live && !msgpack) bytes[at++] = CLOSE;
    const flags = live && msgpack ? ANSWER_FLAG.binary : 0;
    out.record(live ? ANSWER.live : ANSWER.http, flags, CREATED, headEnd, headEnd, at);
  }

  #json(
    bytes: Buffer,
    from: number,
    template: Template,
    sequence: number,
    investor: Span,
    amount: number,
  ): number {
    let at = put(bytes, from, template.jsonId);
    at = putBase36(bytes, at, sequence);
    at = put(bytes, at, template.jsonInvestor);
    at = putEscaped(bytes, at, investor);
    at = put(bytes, at, JSON_AMOUNT);
    at = putDecimal(bytes, at, amount);
    at = put(bytes, at, template.jsonSequence);
    at = putDecimal(bytes, at, sequence);
    return put(bytes, at, this.#jsonEnd);
  }

  #packed(
    bytes: Buffer,
    from: number,
    template: Template,
    sequence: number,
    investor: Span,
    amount: number,
  ): number {
    const digits = putBase36(this.#digits, 0, sequence);
    let at = put(bytes, from, template.packedId);
    // The id's length is in the byte before it.
    at = putStringHead(bytes, at, template.journalId.length + 1 + digits);
    at = put(bytes, at, template.packedIdStart);
    at = putBase36(bytes, at, sequence);
    at = put(bytes, at, template.packedInvestor);
    at = putStringHead(bytes, at, investor.length);
    at = investor.copyTo(bytes, at);
    at = put(bytes, at, PACKED_AMOUNT);
    at = putUint(bytes, at, amount);
    at = put(bytes, at, template.packedSequence);
    at = putUint(bytes, at, sequence);
    at = put(bytes, at, template.packedAt);
    return put(bytes, at, this.#atText);
  }

  #template(round: RoundDefinition, journalId: string): Template {
    const known = this.#templates[round.number];
    if (known?.round === round && known.journalId === journalId) return known;
    const { id, currency, number } = round;
    const location = `\r\nLocation: /v1/rounds/${id}/investments/${journalId}-`;
    const created = `${statusLine(CREATED)}\r\nContent-Type: application`;
    const atChars = timestamp(0).length;
    const state = `${fixstr('currency')}${fixstr(currency)}${fixstr('state')}${fixstr('accepted')}`;
    const made: Template = {
      round,
      journalId,
      jsonHead: text(`${created}/json${location}`),
      packedHead: text(`${created}/msgpack${location}`),
      jsonId: text(`{"id":"${journalId}-`),
      jsonInvestor: text(`","round":"${id}","investor":"`),
      jsonSequence: text(`,"currency":"${currency}","state":"accepted","sequence":`),
      packedId: text(`\x88${fixstr('id')}`),
      packedIdStart: text(`${journalId}-`),
      packedInvestor: text(`${fixstr('round')}${packedString(id)}${fixstr('investor')}`),
      packedSequence: text(`${state}${fixstr('sequence')}`),
      packedAt: text(`${fixstr('acceptedAt')}${String.fromCharCode(FIXSTR + atChars)}`),
    };
    this.#templates[number] = made;
    return made;
  }
}

function put(to: Buffer, at: number, constant: Buffer): number {
  to.set(constant, at);
  return at + constant.length;
}

function liveJsonHead(to: Buffer, from: number, key: Span, replayed: boolean): number {
  let at = put(to, from, LIVE_JSON);
  // A key is of A-Z a-z 0-9 _ - alone: nothing in it needs escaping.
  at = key.copyTo(to, at);
  return put(to, at, replayed ? LIVE_JSON_REPLAYED : LIVE_JSON_NEW);
}

function livePackedHead(to: Buffer, from: number, key: Span, replayed: boolean): number {
  let at = put(to, from, LIVE_PACKED);
  at = putStringHead(to, at, key.length);
  at = key.copyTo(to, at);
  return put(to, at, replayed ? LIVE_PACKED_REPLAYED : LIVE_PACKED_NEW);
}

/** Visible ASCII has only two characters that JSON escapes. */
function putEscaped(to: Buffer, from: number, span: Span): number {
  const { bytes, start, end } = span;
  let at = from;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE || byte === BACKSLASH) to[at++] = BACKSLASH;
    to[at++] = byte;
  }
  return at;
}

const packedString = (value: string): string =>
  value.length <= FIXSTR_CHARS_MAX
    ? fixstr(value)
    : String.fromCharCode(STR_8) + String.fromCharCode(value.length) + value;

/** The head of a string of less than 256 bytes. */
function putStringHead(to: Buffer, at: number, length: number): number {
  if (length <= FIXSTR_CHARS_MAX) {
    to[at] = FIXSTR + length;
    return at + 1;
  }
  to[at] = STR_8;
  to[at + 1] = length;
  return at + 2;
}

/** An integer of 0 to 2^53-1 in the shortest form. */
function putUint(to: Buffer, at: number, value: number): number {
  if (value < 128) {
    to[at] = value;
    return at + 1;
  }
  if (value < 256) {
    to[at] = UINT_8;
    to[at + 1] = value;
    return at + 2;
  }
  if (value < 65_536) {
    to[at] = UINT_16;
    return to.writeUInt16BE(value, at + 1);
  }
  if (value < WORD) {
    to[at] = UINT_32;
    return to.writeUInt32BE(value, at + 1);
  }
  to[at] = UINT_64;
  to.writeUInt32BE(Math.floor(value / WORD), at + 1);
  return to.writeUInt32BE(value % WORD, at + 5);
}
