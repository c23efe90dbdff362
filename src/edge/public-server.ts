// The public port: one uWebSockets.js app with its HTTP routes and its live route.

import { err, ok, type Result } from '../core/result.js';
import { listenExclusive } from '../http/listen.js';
import { uWS } from '../http/uws.js';
import { addLiveRoute, type LiveModules } from './live.js';
import { addPublicRoutes, type PublicModules } from './public-routes.js';

export interface PublicServer {
  readonly port: number;
  /** Open HTTP connections. */
  connections(): number;
  /** Takes no new connections; those that are open go on. */
  stopListening(): void;
  /** Closes every connection. */
  close(): void;
}

/** Listens; the error is for the operator. */
export async function startPublicServer(
  host: string,
  port: number,
  modules: PublicModules & Omit<LiveModules, 'onUpgraded'>,
): Promise<Result<PublicServer, string>> {
  const app = uWS.App();
  let connections = 0;
  const countConnection = (change: number): void => {
    connections += change;
  };
  app.filter((_, change) => countConnection(change as number));
  // The filter is not told when a connection that was upgraded ends.
  addLiveRoute(app, { ...modules, onUpgraded: () => countConnection(-1) });
  addPublicRoutes(app, modules);
  const listening = await listenExclusive(app, host, port);
  if (listening === null) {
    app.close();
    return err(
      `cannot listen on ${host}:${port}: the port is in use, or the address is not one of this host`,
    );
  }
  return ok({
    port: listening.port,
    connections: () => connections,
    stopListening: listening.stop,
    close: () => app.close(),
  });
}
