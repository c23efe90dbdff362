// Whether somebody listens on a port already, found out by trying to.

import { createServer } from 'node:net';

/** Null if the port can be taken now, else one sentence that says why not. Port 0 always can. */
export function portInUse(host: string, port: number): Promise<string | null> {
  if (port === 0) return Promise.resolve(null);
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(
        error.code === 'EADDRINUSE'
          ? `port ${port} is in use`
          : `cannot listen on ${host}:${port} (${error.code})`,
      );
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
