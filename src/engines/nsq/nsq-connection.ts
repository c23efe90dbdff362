// One connection to one nsqd: the only file that knows nsqjs, so that another client can take its place.
//
// nsqjs speaks the protocol; what it lacks is here: an end that comes exactly once, however the connection dies; a watch
// over silence; a bound of what the other side may announce; names checked in TLS. Nothing it does can throw into a
// socket's callback. A connection that has ended is never used again: whoever wants another makes one.

import { isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  NSQDConnection,
  type NsqdConnectionOptions,
  type Message as NsqMessage,
  WriterNSQDConnection,
} from 'nsqjs';
import { NSQ_FRAME_BYTES_MAX, NSQ_REQUEUE_MAX_MS, NSQ_SILENT_BEATS_MAX } from '../../core/limits.js';
import type { Message } from '../bus.js';
import { type NsqSettings, type NsqTimings, type NsqTls, splitAddress } from './nsq-settings.js';

/** What a connection is for. */
export type NsqRole =
  | { readonly kind: 'publish' }
  | { readonly kind: 'subscribe'; readonly topic: string; readonly channel: string };

export interface NsqConnectionEvents {
  /** nsqd has let us in: it may be published to, or has the subscription. */
  readonly ready: () => void;
  /** A message, not before `setReady`. What ends it after the connection has ended has no effect. */
  readonly message: (message: Message) => void;
  /** It is over; `reason` is for the log. Called once. */
  readonly ended: (reason: string) => void;
}

/** Why a publish is not known to have been taken: what nsqd answered, or that the connection ended before it did. */
export type NsqRefusal = { readonly answer: string } | { readonly lost: string };

export class NsqConnection {
  readonly #connection: NSQDConnection;
  readonly #writer: WriterNSQDConnection | null;
  readonly #events: NsqConnectionEvents;
  readonly #watch: NodeJS.Timeout;
  /** Publishes without an answer, in order. */
  readonly #unanswered = new Set<(refusal: NsqRefusal | null) => void>();
  /** Deliveries that are not ended, by nsqd's id of the message. */
  readonly #inHand = new Map<string, { isOver: boolean }>();
  #silentBeats = 0;
  #lastError = '';
  #over = false;

  /** Connects at once. */
  constructor(
    address: string,
    role: NsqRole,
    settings: NsqSettings,
    timings: NsqTimings,
    events: NsqConnectionEvents,
  ) {
    const { host, port } = splitAddress(address);
    const options: Partial<NsqdConnectionOptions> = {
      authSecret: settings.authSecret,
      heartbeatInterval: timings.heartbeatMs / 1000,
      messageTimeout: timings.messageTimeoutMs,
      tls: settings.tls !== null,
    };
    this.#events = events;
    this.#writer = role.kind === 'publish' ? new WriterNSQDConnection(host, port, options) : null;
    this.#connection =
      role.kind === 'publish'
        ? this.#writer!
        : new NSQDConnection(host, port, role.topic, role.channel, options);
    this.#guard(host, settings.tls);
    // Beats are counted, not timed: a process that was itself stopped for a while must not blame the other side.
    this.#watch = setInterval(() => this.#beat(), timings.heartbeatMs);
    this.#watch.unref();
    this.#connection.connect();
  }

  /** Sends the bodies as one PUB or MPUB; `done` is called once, with null when nsqd has taken all of them. */
  publish(topic: string, bodies: readonly Buffer[], done: (refusal: NsqRefusal | null) => void): void {
    if (this.#over || this.#writer === null) {
      done({ lost: 'the connection has ended' });
      return;
    }
    this.#unanswered.add(done);
    this.#writer.produceMessages(topic, [...bodies], undefined, (error) => {
      if (!this.#unanswered.delete(done)) return;
      if (error === null) done(null);
      // nsqd's own words, of which the first publish in line is the cause; all after it are merely cut off.
      else if (error.message.startsWith('E_')) done({ answer: error.message });
      else done({ lost: error.message });
    });
  }

  /** How many messages may be on their way to us or in our hands. */
  setReady(count: number): void {
    if (!this.#over) this.#connection.setRdy(count);
  }

  /** Cuts it off; `ended` is called. */
  reset(reason: string): void {
    this.#end(reason);
  }

  /** Ends it after what was said in this turn, without `ended`. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cutOff('closed by this side');
    // nsqjs sends the end of a message in the next tick.
    process.nextTick(() => this.#connection.close());
  }

  #guard(host: string, tls: NsqTls | null): void {
    const connection = this.#connection;
    connection.on('error', (error) => {
      // The end of a message that has timed out at nsqd, and is on its way again: nothing is wrong here.
      if (!/^E_(FIN|REQ|TOUCH)_FAILED/.test(error.message)) this.#lastError = error.message;
    });
    connection.on('connection_error', (error) => this.#end(error.message));
    connection.on('closed', () => this.#end(this.#lastError || 'the other side closed the connection'));
    connection.on('ready', () => {
      if (!this.#over) this.#events.ready();
    });
    connection.on('message', (message) => {
      if (!this.#over) this.#events.message(this.#delivery(message));
    });
    const { receiveData } = connection;
    connection.receiveData = (data) => {
      this.#silentBeats = 0;
      try {
        receiveData.call(connection, data);
      } catch (error) {
        // What is not NSQ at all makes it throw.
        this.#end(`not understood: ${(error as Error).message}`);
      }
      if ((connection.frameBuffer.buffer?.length ?? 0) > NSQ_FRAME_BYTES_MAX) {
        this.#end('a frame larger than any of NSQ');
      }
    };
    if (tls !== null) connection.startTLS = () => this.#startTls(host, tls);
  }

  /** As nsqjs does it, but for the name: left alone it checks the certificate of an address against "localhost". */
  #startTls(host: string, tls: NsqTls): void {
    const connection = this.#connection;
    const socket = connection.conn;
    if (socket === null) return;
    for (const event of ['data', 'error', 'close']) socket.removeAllListeners(event);
    socket.on('error', (error) => this.#end(error.message));
    const name = isIP(host) === 0 ? { servername: host } : {};
    const secure = connectTls({ socket, host, ...name, minVersion: 'TLSv1.2', ...defined(tls) });
    connection.conn = secure;
    connection.outWriter = secure;
    connection.registerStreamListeners(secure);
  }

  #delivery(message: NsqMessage): Message {
    const { id } = message;
    const delivery = { isOver: false };
    // Its earlier delivery timed out at nsqd. To end that one would end this one: they have one id.
    const earlier = this.#inHand.get(id);
    if (earlier !== undefined) earlier.isOver = true;
    this.#inHand.set(id, delivery);
    const end = (): boolean => {
      if (delivery.isOver || this.#over) return false;
      delivery.isOver = true;
      this.#inHand.delete(id);
      return true;
    };
    return {
      body: message.body,
      // nsqd counts to 65,535; nsqjs reads the same two bytes with a sign.
      attempts: message.attempts & 0xffff,
      finish: () => {
        if (end()) message.finish();
      },
      requeue: (delayMs) => {
        // Whole milliseconds: anything else is a protocol error, and ends the connection.
        const wholeMs = Math.round(Math.min(NSQ_REQUEUE_MAX_MS, Math.max(0, delayMs)));
        if (end()) message.requeue(wholeMs, false);
      },
      touch: () => {
        if (!delivery.isOver && !this.#over) message.touch();
      },
    };
  }

  #beat(): void {
    this.#silentBeats++;
    if (this.#silentBeats > NSQ_SILENT_BEATS_MAX) this.#end('the other side is silent');
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    const connection = this.#connection;
    // nsqjs opens its socket one tick after `connect`; this one runs later.
    process.nextTick(() => connection.conn?.destroy());
    // First, so that what is cut off is not published to this connection once more.
    this.#events.ended(reason);
    this.#cutOff(reason);
  }

  #cutOff(reason: string): void {
    clearInterval(this.#watch);
    this.#connection.clearIdentifyTimeout();
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    for (const done of unanswered) done({ lost: reason });
  }
}

function defined({ ca, cert, key }: NsqTls): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}
