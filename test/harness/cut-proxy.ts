// A TCP proxy that lets a request through and cuts the connection before its reply: the peer has done it, and the asker
// cannot know.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CutProxy {
  /** host:port to connect to instead of the peer's. */
  readonly address: string;
  /** Replies that were cut off. */
  readonly cuts: number;
  /**
   * Passes on what is asked, throws away the reply to the `number`th question from now (1: the next one), and hangs up
   * on both sides. `thenRefuse`: nobody gets through after that until `accept`.
   */
  cutReply(number: number, options?: { readonly thenRefuse?: boolean }): void;
  /** Hangs up, and lets nobody through until `accept`. */
  refuse(): void;
  /** Lets new connections through again. */
  accept(): void;
  close(): Promise<void>;
}

/** A question, and a reply to one, is at least this long; acknowledgements, pings and settings are shorter. */
const QUESTION_BYTES_MIN = 60;
const REPLY_BYTES_MIN = 40;

/** @param peer host:port */
export async function cutProxy(peer: string): Promise<CutProxy> {
  const [host, port] = peer.split(':') as [string, string];
  const sockets = new Set<Socket>();
  /** Questions until the one whose reply is cut; null: none is. */
  let left: number | null = null;
  let refuseAfter = false;
  let refusing = false;
  let cuts = 0;
  const server = createServer((near) => {
    if (refusing) {
      near.destroy();
      return;
    }
    const far = connect({ host, port: Number.parseInt(port, 10) });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (chunk) => {
      if (left !== null && left > 0 && chunk.length >= QUESTION_BYTES_MIN) left--;
      far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (left === 0 && chunk.length >= REPLY_BYTES_MIN) {
        left = null;
        cuts++;
        refusing = refuseAfter;
        for (const socket of [...sockets]) socket.destroy();
        return;
      }
      near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    cutReply: (number, { thenRefuse = false } = {}) => {
      left = number;
      refuseAfter = thenRefuse;
    },
    refuse: () => {
      refusing = true;
      for (const socket of [...sockets]) socket.destroy();
    },
    accept: () => {
      refusing = false;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
