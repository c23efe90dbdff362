// One look at one nsqd over its TCP port, as a client sees it: whether it lets us in, with what it has been set up, and
// whether it takes messages as large as ours may be. Nothing is published and no topic is made.
//
// nsqjs keeps nsqd's answer to IDENTIFY for itself, so the few frames of a greeting are spoken here.

import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { NSQ_FRAME_BYTES_MAX, NSQ_MESSAGE_BYTES_MAX, NSQ_RESPONSE_TIMEOUT_MS } from '../../core/limits.js';
import { TOPICS } from '../../core/messages.js';
import { err, ok, type Result } from '../../core/result.js';
import { NSQ_TIMINGS, type NsqSettings, splitAddress } from './nsq-settings.js';

export interface NsqdGreeting {
  readonly version: string;
  /** Messages that a consumer may have in flight. */
  readonly maxReady: number;
  readonly isTls: boolean;
  readonly asksSecret: boolean;
  /** Its bound of a message where ours is larger; null where it takes the largest of ours. */
  readonly messageBytesMax: number | null;
}

/** An nsqd that would refuse a size says so at once; one that takes it says nothing and waits for the bytes. */
const SILENCE_MS = 500;
const RESPONSE = 0;
const ERROR = 1;

/** The error says what nsqd answered, or why it could not be asked. */
export async function probeNsqd(
  address: string,
  { tls, authSecret }: Pick<NsqSettings, 'tls' | 'authSecret'>,
): Promise<Result<NsqdGreeting, string>> {
  const { host, port } = splitAddress(address);
  const wire = new Wire(connect({ host, port }));
  try {
    await wire.opened;
    wire.send('  V2');
    wire.sendWithBody(
      'IDENTIFY\n',
      JSON.stringify({
        client_id: 'doctor',
        user_agent: 'openbell doctor',
        feature_negotiation: true,
        heartbeat_interval: NSQ_TIMINGS.heartbeatMs,
        msg_timeout: NSQ_TIMINGS.messageTimeoutMs,
        tls_v1: tls !== null,
      }),
    );
    const about = JSON.parse(await wire.answer()) as Readonly<Record<string, unknown>>;
    const { version, max_rdy_count: maxReady, tls_v1: isTls, auth_required: asksSecret } = about;
    if (typeof version !== 'string' || typeof maxReady !== 'number') return err('it is not an nsqd');
    if (tls !== null) {
      if (isTls !== true) return err('it has no TLS, and OPENBELL_NSQ_TLS_* asks for it');
      const name = isIP(host) === 0 ? { servername: host } : {};
      await wire.secure((socket) =>
        connectTls({
          socket,
          host,
          ...name,
          minVersion: 'TLSv1.2',
          ca: tls.ca,
          cert: tls.cert,
          key: tls.key,
        }),
      );
      await wire.answer();
    }
    if (asksSecret === true && authSecret !== null) {
      wire.sendWithBody('AUTH\n', authSecret);
      await wire.answer();
    }
    const messageBytesMax = await sizeRefused(wire);
    return ok({ version, maxReady, isTls: tls !== null, asksSecret: asksSecret === true, messageBytesMax });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return err(code ?? message);
  } finally {
    wire.close();
  }
}

/** Announces the largest message and sends none of it. */
async function sizeRefused(wire: Wire): Promise<number | null> {
  wire.send(`PUB ${TOPICS.investments}\n`);
  wire.sendSize(NSQ_MESSAGE_BYTES_MAX);
  const answer = await Promise.race([
    wire.answer().catch((error: Error) => error),
    new Promise<null>((resolve) => setTimeout(resolve, SILENCE_MS, null)),
  ]);
  if (!(answer instanceof Error)) return null;
  const bound = /message too big \d+ > (\d+)/.exec(answer.message)?.[1];
  if (bound === undefined) throw answer;
  return Number.parseInt(bound, 10);
}

/** Frames of NSQ over one socket: a size, a kind, and bytes. */
class Wire {
  readonly opened: Promise<void>;
  #socket: Socket;
  #buffer = Buffer.alloc(0);
  #failure: Error | null = null;
  #wake = (): void => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.opened = new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
      socket.setTimeout(NSQ_RESPONSE_TIMEOUT_MS, () => reject(silent()));
    });
    this.#listen(socket);
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  sendSize(bytes: number): void {
    const size = Buffer.alloc(4);
    size.writeInt32BE(bytes);
    this.#socket.write(size);
  }

  sendWithBody(command: string, body: string): void {
    this.send(command);
    this.sendSize(Buffer.byteLength(body));
    this.send(body);
  }

  /** The next answer; rejects with nsqd's own words for an error, and when there is none in time. */
  async answer(): Promise<string> {
    const timer = setTimeout(() => this.#fail(silent()), NSQ_RESPONSE_TIMEOUT_MS);
    try {
      // Ends by an answer, or by the failure that the timer is.
      for (;;) {
        const frame = this.#frame();
        if (frame === null) {
          if (this.#failure !== null) throw this.#failure;
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (frame.kind === ERROR) throw new Error(frame.text);
        else if (frame.kind === RESPONSE && frame.text !== '_heartbeat_') return frame.text;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async secure(upgrade: (socket: Socket) => Socket): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners('data');
    const secured = upgrade(plain);
    this.#socket = secured;
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve);
      secured.once('error', reject);
      secured.once('close', () => reject(new Error('the other side closed the connection')));
    });
    this.#listen(secured);
  }

  close(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the other side closed the connection')));
    socket.on('data', (bytes) => {
      this.#buffer = Buffer.concat([this.#buffer, bytes]);
      if (this.#buffer.length > NSQ_FRAME_BYTES_MAX) this.#fail(new Error('a frame larger than any of NSQ'));
      this.#wake();
    });
  }

  #frame(): { readonly kind: number; readonly text: string } | null {
    if (this.#buffer.length < 8) return null;
    const end = 4 + this.#buffer.readInt32BE(0);
    if (end < 8 || end > NSQ_FRAME_BYTES_MAX) throw new Error('it is not an nsqd');
    if (this.#buffer.length < end) return null;
    const kind = this.#buffer.readInt32BE(4);
    const text = this.#buffer.toString('utf8', 8, end);
    this.#buffer = this.#buffer.subarray(end);
    return { kind, text };
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}

const silent = (): Error => new Error(`no answer within ${NSQ_RESPONSE_TIMEOUT_MS} ms`);
