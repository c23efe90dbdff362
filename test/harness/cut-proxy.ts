// A TCP proxy that lets a request through and cuts the connection before its reply: the peer has done it, and the asker
// cannot know.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CutProxy {
  /** host:port to connect to instead of the peer's. */
  readonly address: string;
  /** Replies that were cut off. */
  readonly cuts: number;
  /**
   * Passes on what is asked next, throws away the reply that follows, and hangs up on both sides.
   * `thenRefuse`: nobody gets through after that until `accept`.
   */
  cutNextReply(options?: { readonly thenRefuse?: boolean }): void;
  /** Lets new connections through again. */
  accept(): void;
  close(): Promise<void>;
}

/** A reply of the peer that answers a request is at least this long; acknowledgements and pings are shorter. */
const REPLY_BYTES_MIN = 40;

/** @param peer host:port */
export async function cutProxy(peer: string): Promise<CutProxy> {
  const [host, port] = peer.split(':') as [string, string];
  const sockets = new Set<Socket>();
  let cutting: 'no' | 'armed' | 'asked' = 'no';
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
      if (cutting === 'armed' && chunk.length >= REPLY_BYTES_MIN) cutting = 'asked';
      far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (cutting === 'asked' && chunk.length >= REPLY_BYTES_MIN) {
        cutting = 'no';
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
    cutNextReply: ({ thenRefuse = false } = {}) => {
      cutting = 'armed';
      refuseAfter = thenRefuse;
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
