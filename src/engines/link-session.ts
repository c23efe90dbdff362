// One connection of the embedded link: greeting, heartbeat, frames in and out. It knows nothing of topics; the
// endpoint above it does. A session ends once, for whatever reason, and is never used again.

import type { Socket } from 'node:net';
import { LINK_HEARTBEAT_MS, LINK_SILENT_BEATS_MAX } from '../core/limits.js';
import { beatFrame, type Frame, FrameReader, helloFrame } from './link-frames.js';

export interface SessionEvents {
  /** The other side has said hello: it is one of ours. */
  readonly opened: (session: LinkSession) => void;
  /** Any frame after the greeting, except beats. Returns what is wrong with it, or null. */
  readonly frame: (session: LinkSession, frame: Frame) => string | null;
  /** Buffers have room again after `send` returned false. */
  readonly drained: (session: LinkSession) => void;
  /** It is over; `reason` is for the log. `hostile` when the other side broke the protocol. */
  readonly ended: (session: LinkSession, reason: string, hostile: boolean) => void;
}

const CLOSE_FLUSH_MS = 500;

export class LinkSession {
  readonly #socket: Socket;
  readonly #events: SessionEvents;
  readonly #reader = new FrameReader();
  readonly #heartbeat: NodeJS.Timeout;
  #greeted = false;
  #over = false;
  #silentBeats = 0;

  constructor(socket: Socket, events: SessionEvents, heartbeatMs: number = LINK_HEARTBEAT_MS) {
    this.#socket = socket;
    this.#events = events;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => {
      if (this.isOpen) events.drained(this);
    });
    socket.on('error', (error) => this.#end(error.message, false));
    socket.on('close', () => this.#end('the other side closed the connection', false));
    // Beats are counted, not timed: a process that was itself stopped for a while must not blame the other side.
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#heartbeat.unref();
    this.send(helloFrame());
  }

  /** True between the other side's greeting and the end. */
  get isOpen(): boolean {
    return this.#greeted && !this.#over;
  }

  /** Sends a frame; false when the caller should wait for `drained`. */
  send(frame: Buffer): boolean {
    return this.#over ? false : this.#socket.write(frame);
  }

  /** Ends the session after what was sent. */
  close(reason: string): void {
    if (this.#over) return;
    this.#socket.destroySoon();
    // A side that reads nothing cannot hold up a stop.
    setTimeout(() => this.#socket.destroy(), CLOSE_FLUSH_MS).unref();
    this.#end(reason, false);
  }

  #read(chunk: Buffer): void {
    if (this.#over) return;
    this.#silentBeats = 0;
    const frames = this.#reader.push(chunk);
    if (!frames.ok) {
      this.#end(frames.error, true);
      return;
    }
    for (const frame of frames.value) {
      const wrong = this.#accept(frame);
      if (wrong !== null) {
        this.#end(wrong, true);
        return;
      }
      if (this.#over) return;
    }
  }

  #accept(frame: Frame): string | null {
    if (!this.#greeted) {
      if (frame.type !== 'hello') return `a ${frame.type} frame before the greeting`;
      this.#greeted = true;
      this.#events.opened(this);
      return null;
    }
    if (frame.type === 'hello') return 'a second greeting';
    return frame.type === 'beat' ? null : this.#events.frame(this, frame);
  }

  #beat(): void {
    if (this.#silentBeats >= LINK_SILENT_BEATS_MAX) {
      this.#end('the other side is silent', false);
      return;
    }
    this.#silentBeats++;
    this.send(beatFrame());
  }

  #end(reason: string, hostile: boolean): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#heartbeat);
    // A socket that was ended in order still flushes; everything else is cut at once.
    if (!this.#socket.writableEnded) this.#socket.destroy();
    this.#events.ended(this, reason, hostile);
  }
}
