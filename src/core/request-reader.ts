// Reads the body of an investment, or a client's message on a live connection, strictly: JSON or MessagePack,
// each member once, none unknown, amounts as integers. What is wrong is named by a JSON Pointer (RFC 6901).
//
// The reader is reused: after `read` returned true its fields hold the members. The common form of JSON is scanned
// in place without making strings; anything unusual goes to `request-reader-slow.ts`, which knows the whole grammar.

import { isPlain, isTextAt, isUpper, plainStringEnd } from './ascii.js';
import { packCurrency } from './money.js';
import { integerBytes, isOneValue, readInteger, stringHead, stringHeadBytes } from './msgpack-bytes.js';
import { memberPointer, readMembersSlowly } from './request-reader-slow.js';
import { Span } from './span.js';

/** Which members may appear, and must: an HTTP body, or one of the messages of a live connection. */
export type RequestShape = 'investment' | 'message';

export type MessageType = 'auth' | 'invest';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;

const NOT_WHOLE = 'the body is not one whole MessagePack value';

const MEMBER_NAMES = ['amount', 'currency', 'key', 'token', 'type'] as const;
export type MemberName = (typeof MEMBER_NAMES)[number];
const ALLOWED: Readonly<Record<RequestShape, readonly MemberName[]>> = {
  investment: ['amount', 'currency'],
  message: MEMBER_NAMES,
};

export class RequestReader {
  amount = 0;
  /** Packed by `packCurrency`. */
  currency = 0;
  /** Members of a message: where they are in what was read, good as long as that is. */
  readonly key = new Span();
  hasKey = false;
  readonly token = new Span();
  hasToken = false;
  type: MessageType | null = null;
  /** After a failure: where, as a JSON Pointer, and why. */
  pointer = '';
  reason = '';

  /** Reads `bytes[start, end)`. False when it is malformed: then `pointer` and `reason` say where and why. */
  read(bytes: Buffer, start: number, end: number, msgpack: boolean, shape: RequestShape): boolean {
    this.#reset();
    if (msgpack) {
      if (this.#readMsgpack(bytes, start, end, shape)) return this.#complete(shape);
      // Cut short, it is not MessagePack at all, whatever is wrong with a member.
      return isOneValue(bytes, start, end) ? false : this.#fail('', NOT_WHOLE);
    }
    if (this.#scanJson(bytes, start, end, shape)) return this.#complete(shape);
    this.#reset();
    const slow = readMembersSlowly(bytes.subarray(start, end));
    if (!slow.ok) return this.#fail(slow.error.pointer, slow.error.reason);
    for (const [name, value] of slow.value) {
      if (!this.#assign(name, value, shape)) return false;
    }
    return this.#complete(shape);
  }

  #reset(): void {
    this.amount = 0;
    this.currency = 0;
    this.hasKey = false;
    this.hasToken = false;
    this.type = null;
    this.pointer = '';
    this.reason = '';
  }

  /** The key as text; null where there is none. */
  keyText(): string | null {
    return this.hasKey ? this.key.text() : null;
  }

  #fail(pointer: string, reason: string): false {
    this.pointer = pointer;
    this.reason = reason;
    return false;
  }

  /** What must be there is there. A key is checked by its own rule, as a header is. */
  #complete(shape: RequestShape): boolean {
    if (shape === 'message') {
      if (this.type === null) return this.#fail('/type', 'type is missing');
      if (this.type === 'auth') {
        if (!this.hasToken) return this.#fail('/token', 'token is missing');
        if (this.amount !== 0) return this.#fail('/amount', 'amount does not belong in auth');
        if (this.currency !== 0) return this.#fail('/currency', 'currency does not belong in auth');
        if (this.hasKey) return this.#fail('/key', 'key does not belong in auth');
        return true;
      }
    }
    if (this.amount === 0) return this.#fail('/amount', 'amount is missing');
    if (this.currency === 0) return this.#fail('/currency', 'currency is missing');
    return true;
  }

  /** Takes one decoded member; `value` is a string, an integer, or something that fits no member. */
  #assign(name: string, value: unknown, shape: RequestShape): boolean {
    const pointer = memberPointer(name);
    if (!(ALLOWED[shape] as readonly string[]).includes(name))
      return this.#fail(pointer, 'this member is unknown');
    switch (name as MemberName) {
      case 'amount':
        if (this.amount !== 0) return this.#fail(pointer, 'amount is given twice');
        if (typeof value !== 'number' || !Number.isSafeInteger(value) || value <= 0) {
          return this.#fail(pointer, 'amount must be an integer of minor units from 1 to 2^53-1');
        }
        this.amount = value;
        return true;
      case 'currency':
        if (this.currency !== 0) return this.#fail(pointer, 'currency is given twice');
        if (typeof value !== 'string' || !/^[A-Z]{3}$/.test(value)) {
          return this.#fail(pointer, 'currency must be an ISO 4217 code such as GBP');
        }
        this.currency = packCurrency(value);
        return true;
      case 'type':
        if (this.type !== null) return this.#fail(pointer, 'type is given twice');
        if (value !== 'auth' && value !== 'invest') return this.#fail(pointer, 'type must be auth or invest');
        this.type = value;
        return true;
      case 'key':
        if (this.hasKey) return this.#fail(pointer, 'key is given twice');
        if (typeof value !== 'string') return this.#fail(pointer, 'key must be a string');
        this.hasKey = true;
        this.key.setText(asciiOrRefused(value));
        return true;
      case 'token':
        if (this.hasToken) return this.#fail(pointer, 'token is given twice');
        if (typeof value !== 'string') return this.#fail(pointer, 'token must be a string');
        this.hasToken = true;
        this.token.setText(asciiOrRefused(value));
        return true;
    }
  }

  /** The plain form: one flat object, no escapes, integers without sign or exponent. False: ask the slow reader. */
  #scanJson(bytes: Buffer, start: number, end: number, shape: RequestShape): boolean {
    let at = skipSpace(bytes, start, end);
    if (bytes[at] !== OPEN) return false;
    at = skipSpace(bytes, at + 1, end);
    for (let members = 0; members < MEMBER_NAMES.length; members++) {
      if (bytes[at] !== QUOTE) return false;
      const nameEnd = plainStringEnd(bytes, at + 1, end);
      if (nameEnd < 0) return false;
      const nameStart = at + 1;
      at = skipSpace(bytes, nameEnd + 1, end);
      if (bytes[at] !== COLON) return false;
      at = skipSpace(bytes, at + 1, end);
      const length = nameEnd - nameStart;
      const initial = bytes[nameStart];
      if (length === 6 && initial === 0x61 && this.amount === 0 && isTextAt(bytes, nameStart, 'amount')) {
        let value = 0;
        const digits = at;
        for (let digit = bytes[at]! - 0x30; digit >= 0 && digit <= 9; digit = bytes[++at]! - 0x30) {
          value = value * 10 + digit;
          if (at >= end || at - digits >= 15) return false;
        }
        if (at === digits || value === 0 || bytes[digits] === 0x30) return false;
        this.amount = value;
      } else {
        if (bytes[at] !== QUOTE) return false;
        const valueStart = at + 1;
        const valueEnd = plainStringEnd(bytes, valueStart, end);
        if (valueEnd < 0) return false;
        at = valueEnd + 1;
        if (
          length === 8 &&
          initial === 0x63 &&
          this.currency === 0 &&
          isTextAt(bytes, nameStart, 'currency')
        ) {
          this.currency = currencyAt(bytes, valueStart, valueEnd);
          if (this.currency === 0) return false;
        } else {
          if (shape !== 'message' || !this.#assignPlain(bytes, nameStart, length, valueStart, valueEnd))
            return false;
        }
      }
      at = skipSpace(bytes, at, end);
      if (bytes[at] === CLOSE) return skipSpace(bytes, at + 1, end) === end;
      if (bytes[at] !== COMMA) return false;
      at = skipSpace(bytes, at + 1, end);
    }
    return false;
  }

  /** Takes a member of a MessagePack map whose value is a string. */
  #takeText(
    bytes: Buffer,
    nameStart: number,
    nameLength: number,
    start: number,
    end: number,
    shape: RequestShape,
  ): boolean {
    if (nameLength === 8 && this.currency === 0 && isTextAt(bytes, nameStart, 'currency')) {
      this.currency = currencyAt(bytes, start, end);
      if (this.currency !== 0) return true;
    } else if (
      shape === 'message' &&
      isPlain(bytes, start, end) &&
      this.#assignPlain(bytes, nameStart, nameLength, start, end)
    ) {
      return true;
    }
    const name = bytes.toString('utf8', nameStart, nameStart + nameLength);
    return this.#assign(name, bytes.toString('utf8', start, end), shape);
  }

  /** Takes a member of a message whose name and value are plain text in place; false where the long way must decide. */
  #assignPlain(bytes: Buffer, nameStart: number, nameLength: number, start: number, end: number): boolean {
    if (nameLength === 3 && !this.hasKey && isTextAt(bytes, nameStart, 'key')) {
      this.hasKey = true;
      this.key.set(bytes, start, end);
      return true;
    }
    if (nameLength === 5 && !this.hasToken && isTextAt(bytes, nameStart, 'token')) {
      this.hasToken = true;
      this.token.set(bytes, start, end);
      return true;
    }
    if (nameLength !== 4 || this.type !== null || !isTextAt(bytes, nameStart, 'type')) return false;
    if (end - start === 6 && isTextAt(bytes, start, 'invest')) this.type = 'invest';
    else if (end - start === 4 && isTextAt(bytes, start, 'auth')) this.type = 'auth';
    else return false;
    return true;
  }

  /** A MessagePack map of string keys to strings and integers (the format's own specification, msgpack.org). */
  #readMsgpack(bytes: Buffer, start: number, end: number, shape: RequestShape): boolean {
    if (start >= end) return this.#fail('', 'the body is empty');
    const head = bytes[start]!;
    let at = start + 1;
    let count: number;
    if (head >= 0x80 && head <= 0x8f) count = head & 0x0f;
    else if (head === 0xde && at + 2 <= end) {
      count = bytes.readUInt16BE(at);
      at += 2;
    } else if (head === 0xdf && at + 4 <= end) {
      count = bytes.readUInt32BE(at);
      at += 4;
    } else return this.#fail('', 'the body must be a MessagePack map');
    for (let i = 0; i < count; i++) {
      const nameLength = stringHead(bytes, at, end);
      if (nameLength < 0) return this.#fail('', 'the body must be a MessagePack map with string keys');
      at += stringHeadBytes(bytes[at]!);
      const nameStart = at;
      at += nameLength;
      const textLength = stringHead(bytes, at, end);
      if (textLength >= 0) {
        at += stringHeadBytes(bytes[at]!);
        const textEnd = at + textLength;
        if (!this.#takeText(bytes, nameStart, nameLength, at, textEnd, shape)) return false;
        at = textEnd;
      } else {
        const size = integerBytes(bytes[at] ?? 0xc1);
        const isWhole = size >= 0 && at + 1 + size <= end;
        const value = isWhole ? readInteger(bytes, at) : null;
        const isAmount = nameLength === 6 && this.amount === 0 && isTextAt(bytes, nameStart, 'amount');
        if (isAmount && Number.isSafeInteger(value) && value !== null && value > 0) this.amount = value;
        else {
          const name = bytes.toString('utf8', nameStart, nameStart + nameLength);
          if (!this.#assign(name, value, shape)) return false;
          if (!isWhole) return this.#fail('', NOT_WHOLE);
        }
        at += 1 + size;
      }
    }
    return at === end || this.#fail('', 'there are bytes after the end of the map');
  }
}

function skipSpace(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09))
    at++;
  return at;
}

/** The packed currency whose code is `bytes[start, end)`; 0 when that is no code. */
function currencyAt(bytes: Buffer, start: number, end: number): number {
  if (end - start !== 3 || !isUpper(bytes, start, 3)) return 0;
  return (bytes[start]! << 16) | (bytes[start + 1]! << 8) | bytes[start + 2]!;
}

/** A text with a character of more than one byte is no key and no token; a space makes sure that it is refused. */
function asciiOrRefused(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : ' ';
}
