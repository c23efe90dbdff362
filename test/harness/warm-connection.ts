// A connection that the node has already accepted and served: what is written to it while the node stands still is the
// first thing that it finds when it goes on, before any of its timers.

import { connect, type Socket } from 'node:net';

export interface WarmConnection {
  /** Writes a request; resolves to the status and body of its answer, or to null when the node hangs up. */
  ask(request: string): Promise<{ readonly status: number; readonly body: string } | null>;
  close(): void;
}

/** Connects to loopback and has one request answered. */
export async function warmConnection(port: number, path: string): Promise<WarmConnection> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const connection: WarmConnection = {
    ask: (request) => askOnce(socket, request),
    close: () => socket.destroy(),
  };
  const first = await connection.ask(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  if (first?.status !== 200) throw new Error(`GET ${path}: ${first?.status ?? 'hung up'}`);
  return connection;
}

function askOnce(
  socket: Socket,
  request: string,
): Promise<{ readonly status: number; readonly body: string } | null> {
  return new Promise((resolve) => {
    let text = '';
    const end = (answer: { readonly status: number; readonly body: string } | null): void => {
      socket.off('data', onData);
      socket.off('close', onClose);
      resolve(answer);
    };
    const onClose = (): void => end(null);
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const bodyAt = text.indexOf('\r\n\r\n') + 4;
      const length = /^content-length: *(\d+)\r$/im.exec(text)?.[1];
      if (bodyAt < 4 || length === undefined || text.length < bodyAt + Number.parseInt(length, 10)) return;
      end({ status: Number.parseInt(text.slice('HTTP/1.1 '.length), 10), body: text.slice(bodyAt) });
    };
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.write(request);
  });
}
