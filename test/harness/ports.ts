// Free TCP ports for child processes, below the range from which the kernel takes client ports: a client that keeps
// connecting to a node that is down could otherwise be given the node's own port, and talk to itself.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const PORT_FIRST = 12_000;
const PORT_LAST = 31_999;
const TRIES_MAX = 200;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** `count` different ports on which nobody listens now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let i = 0; i < TRIES_MAX && ports.size < count; i++) {
    const port = randomInt(PORT_FIRST, PORT_LAST + 1);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  if (ports.size < count) throw new Error(`only ${ports.size} of ${count} free ports found`);
  return [...ports];
}
