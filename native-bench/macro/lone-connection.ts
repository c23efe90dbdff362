// One HTTP connection with one request in flight, as plain as can be: what it adds to a latency is two system calls.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

export class LoneConnection {
  readonly #socket: Socket;
  #held = '';
  #answered: ((status: number) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error('the connection was closed')));
  }

  static async open(url: string): Promise<LoneConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number.parseInt(port, 10), noDelay: true });
    await once(socket, 'connect');
    return new LoneConnection(socket);
  }

  /** Sends a whole request; resolves to the status when the whole answer is here. */
  ask(request: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.write(request, 'latin1');
    });
  }

  close(): void {
    this.#failed = null;
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#held += text;
    const end = this.#held.indexOf(HEAD_END);
    if (end < 0) return;
    const length = Number(/^content-length: *(\d+)/im.exec(this.#held)?.[1] ?? 0);
    if (this.#held.length < end + HEAD_END.length + length) return;
    const status = Number.parseInt(this.#held.slice(9, 12), 10);
    this.#held = '';
    this.#answered?.(status);
  }
}
