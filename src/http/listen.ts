// Listening with uWebSockets.js so that nobody else can: without the exclusive flag a second process would share the
// port in silence, for uSockets sets SO_REUSEPORT.

import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { uWS } from './uws.js';

export interface Listening {
  readonly port: number;
  /** Takes no new connections; those that are open go on. */
  stop(): void;
}

/** Listens on the address; null when the port is in use or the address is not one of this host. Port 0: any free one. */
export async function listenExclusive(
  app: TemplatedApp,
  host: string,
  port: number,
): Promise<Listening | null> {
  // The types lack this form of `listen`, and the constant.
  const listen = app.listen as unknown as (
    host: string,
    port: number,
    flags: number,
    callback: (socket: us_listen_socket | false) => void,
  ) => TemplatedApp;
  const exclusive = (uWS as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number }).LIBUS_LISTEN_EXCLUSIVE_PORT;
  const socket = await new Promise<us_listen_socket | false>((resolve) => {
    listen.call(app, host, port, exclusive, resolve);
  });
  if (socket === false) return null;
  let open = true;
  return {
    port: uWS.us_socket_local_port(socket),
    stop: () => {
      if (open) uWS.us_listen_socket_close(socket);
      open = false;
    },
  };
}
