// The wire format of the embedded link. Little endian; every frame is
//
//   u32 length of what follows | u8 type | ...
//   hello     1  ASCII "openbell-link", u8 version
//   publish   2  u8 topic length, topic (ASCII), u32 id of the first message, u16 count, count x (u32 length, bytes)
//   finished  3  u16 count, count x u32 id
//   refused   4  the same: nobody has subscribed to these messages' topic
//   beat      5  nothing
//
// Written by hand instead of with a serializer: the bodies are opaque, so there is nothing to gain from one, and
// a reader this small can refuse everything that it does not know.

import { assert } from '../core/assert.js';
import { LINK_FRAME_BYTES_MAX, LINK_MESSAGE_BYTES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';

const GREETING = 'openbell-link';
const VERSION = 1;
const LENGTH_BYTES = 4;
const TYPE = { hello: 1, publish: 2, finished: 3, refused: 4, beat: 5 } as const;

export interface FrameMessage {
  readonly id: number;
  readonly body: Uint8Array;
}

export type Frame =
  | { readonly type: 'hello' }
  | { readonly type: 'publish'; readonly topic: string; readonly messages: readonly FrameMessage[] }
  | { readonly type: 'finished' | 'refused'; readonly ids: readonly number[] }
  | { readonly type: 'beat' };

/** Bytes that a publish frame needs beside its bodies, and beside each body. */
export const PUBLISH_OVERHEAD_BYTES = LENGTH_BYTES + 1 + 1 + 255 + 4 + 2;
export const BODY_OVERHEAD_BYTES = 4;

/** Ids count up and wrap; a window is far smaller than the 2^32 of them. */
export const nextId = (id: number): number => (id + 1) % 2 ** 32;

function start(type: number, payloadBytes: number): Buffer {
  assert(1 + payloadBytes <= LINK_FRAME_BYTES_MAX, 'a frame is larger than the other side accepts');
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + 1 + payloadBytes);
  frame.writeUInt32LE(1 + payloadBytes, 0);
  frame[LENGTH_BYTES] = type;
  return frame;
}

/** The first frame of each side. */
export function helloFrame(): Buffer {
  const frame = start(TYPE.hello, GREETING.length + 1);
  frame.write(GREETING, LENGTH_BYTES + 1, 'ascii');
  frame[frame.length - 1] = VERSION;
  return frame;
}

/** A sign of life. */
export function beatFrame(): Buffer {
  return start(TYPE.beat, 0);
}

/** Messages of one topic; their ids count up from `firstId`, modulo 2^32. */
export function publishFrame(topic: string, firstId: number, bodies: readonly Uint8Array[]): Buffer {
  assert(topic.length > 0 && topic.length <= 255, 'a topic has 1 to 255 characters');
  let payloadBytes = 1 + topic.length + 4 + 2;
  for (const body of bodies) payloadBytes += BODY_OVERHEAD_BYTES + body.length;
  const frame = start(TYPE.publish, payloadBytes);
  let at = LENGTH_BYTES + 1;
  frame[at++] = topic.length;
  at += frame.write(topic, at, 'ascii');
  at = frame.writeUInt32LE(firstId, at);
  at = frame.writeUInt16LE(bodies.length, at);
  for (const body of bodies) {
    at = frame.writeUInt32LE(body.length, at);
    frame.set(body, at);
    at += body.length;
  }
  return frame;
}

/** The fate of messages that the other side published. */
export function idsFrame(type: 'finished' | 'refused', ids: readonly number[]): Buffer {
  const frame = start(TYPE[type], 2 + 4 * ids.length);
  let at = frame.writeUInt16LE(ids.length, LENGTH_BYTES + 1);
  for (const id of ids) at = frame.writeUInt32LE(id, at);
  return frame;
}

/** Cuts a byte stream into frames. After the first error the stream is of no use any more. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Below this many bytes there is no whole frame; joining earlier would copy a slow frame again and again. */
  #bytesNeeded = LENGTH_BYTES;

  /** The whole frames in what has arrived so far, or why this is not our protocol. */
  push(chunk: Uint8Array): Result<readonly Frame[], string> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#bytesNeeded) return ok([]);
    const input = this.#chunks.length === 1 ? asBuffer(chunk) : Buffer.concat(this.#chunks);
    const frames: Frame[] = [];
    let at = 0;
    this.#bytesNeeded = LENGTH_BYTES;
    while (input.length - at >= LENGTH_BYTES) {
      const length = input.readUInt32LE(at);
      if (length === 0 || length > LINK_FRAME_BYTES_MAX) return err(`a frame of ${length} bytes`);
      this.#bytesNeeded = LENGTH_BYTES + length;
      if (input.length - at < this.#bytesNeeded) break;
      const frame = readFrame(input.subarray(at + LENGTH_BYTES, at + this.#bytesNeeded));
      if (!frame.ok) return frame;
      frames.push(frame.value);
      at += this.#bytesNeeded;
      this.#bytesNeeded = LENGTH_BYTES;
    }
    // At most one partial frame stays, so this is bounded by the largest frame and one read.
    this.#chunks = at === input.length ? [] : [input.subarray(at)];
    this.#bytes = input.length - at;
    return ok(frames);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readFrame(frame: Buffer): Result<Frame, string> {
  const payload = frame.subarray(1);
  switch (frame[0]) {
    case TYPE.hello:
      if (
        payload.length !== GREETING.length + 1 ||
        payload.toString('ascii', 0, GREETING.length) !== GREETING
      ) {
        return err('a greeting that is not ours');
      }
      if (payload[GREETING.length] !== VERSION)
        return err(`link version ${payload[GREETING.length]}, not ${VERSION}`);
      return ok({ type: 'hello' });
    case TYPE.publish:
      return readPublish(payload);
    case TYPE.finished:
      return readIds('finished', payload);
    case TYPE.refused:
      return readIds('refused', payload);
    case TYPE.beat:
      return payload.length === 0 ? ok({ type: 'beat' }) : err('a beat with a payload');
    default:
      return err(`a frame of unknown type ${frame[0]}`);
  }
}

function readPublish(payload: Buffer): Result<Frame, string> {
  const topicEnd = 1 + (payload[0] ?? 0);
  if (topicEnd === 1 || payload.length < topicEnd + 6) return err('a publish frame cut short');
  const topic = payload.toString('latin1', 1, topicEnd);
  if (!/^[\x21-\x7e]+$/.test(topic)) return err('a topic that is not ASCII');
  let id = payload.readUInt32LE(topicEnd);
  const count = payload.readUInt16LE(topicEnd + 4);
  if (count === 0) return err('a publish frame without messages');
  const messages: FrameMessage[] = [];
  let at = topicEnd + 6;
  for (let i = 0; i < count; i++) {
    if (payload.length - at < BODY_OVERHEAD_BYTES) return err('a publish frame cut short');
    const length = payload.readUInt32LE(at);
    at += BODY_OVERHEAD_BYTES;
    if (length === 0 || length > LINK_MESSAGE_BYTES_MAX) return err(`a message of ${length} bytes`);
    if (payload.length - at < length) return err('a publish frame cut short');
    // Copied: a view would keep the whole read buffer alive for as long as the slowest message.
    messages.push({ id, body: Uint8Array.prototype.slice.call(payload, at, at + length) });
    id = nextId(id);
    at += length;
  }
  if (at !== payload.length) return err('a publish frame with bytes left over');
  return ok({ type: 'publish', topic, messages });
}

function readIds(type: 'finished' | 'refused', payload: Buffer): Result<Frame, string> {
  if (payload.length < 2 || payload.length !== 2 + 4 * payload.readUInt16LE(0))
    return err(`a ${type} frame cut short`);
  const ids: number[] = [];
  for (let at = 2; at < payload.length; at += 4) ids.push(payload.readUInt32LE(at));
  return ok({ type, ids });
}
