// What nsqjs 0.13.0 exports and @types/nsqjs does not list: one connection to one nsqd, without the pools above it.

import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Message } from 'nsqjs';

declare module 'nsqjs' {
  interface NsqdConnectionOptions {
    authSecret: string | null;
    clientId: string | null;
    /** Seconds. */
    heartbeatInterval: number;
    /** Milliseconds. */
    messageTimeout: number | null;
    tls: boolean;
    tlsVerification: boolean;
  }

  /** A subscription to a topic's channel on one nsqd. Emits `error` before `closed`, and nothing after that. */
  export class NSQDConnection extends EventEmitter {
    constructor(
      host: string,
      port: number,
      topic: string,
      channel: string,
      options: Partial<NsqdConnectionOptions>,
    );
    /** Null until the turn after `connect`. */
    conn: Socket | null;
    outWriter: Socket | null;
    readonly frameBuffer: { readonly buffer?: Buffer };
    /** Opens the socket after this turn. */
    connect(): void;
    receiveData(data: Buffer): void;
    registerStreamListeners(socket: Socket): void;
    startTLS(callback?: () => void): void;
    setRdy(count: number): void;
    clearIdentifyTimeout(): void;
    /** Says goodbye and destroys the socket. */
    close(): void;
    on(event: 'ready' | 'closed' | 'connected', listener: () => void): this;
    on(event: 'error' | 'connection_error', listener: (error: Error) => void): this;
    on(event: 'message', listener: (message: Message) => void): this;
  }

  /** A connection that publishes. Callbacks come in the order of the calls. */
  export class WriterNSQDConnection extends NSQDConnection {
    constructor(host: string, port: number, options: Partial<NsqdConnectionOptions>);
    /** One PUB, or one MPUB for several; Buffers only: anything else is sent as JSON. */
    produceMessages(
      topic: string,
      messages: Buffer[],
      delayMs: undefined,
      callback: (error: Error | null) => void,
    ): void;
  }
}
