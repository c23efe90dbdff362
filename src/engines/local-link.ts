// The embedded link: the ledger process listens on a unix socket, the edge connects and comes back after every
// interruption. Only this user can open the socket (mode 0600), and only one edge is served at a time: a data
// directory has one edge process.

import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import {
  LINK_HEARTBEAT_MS,
  LINK_PUBLISH_TIMEOUT_MS,
  LINK_RECONNECT_MAX_MS,
  LINK_RECONNECT_MIN_MS,
  LINK_STRANGERS_MAX,
} from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { Bus } from './bus.js';
import { LinkEndpoint } from './link-endpoint.js';
import { LinkSession } from './link-session.js';

export interface LocalLinkOptions {
  /** See linkSocketPath. */
  readonly path: string;
  readonly logger: Logger;
  readonly publishTimeoutMs?: number;
  readonly heartbeatMs?: number;
}

export interface LocalLinkClientOptions extends LocalLinkOptions {
  /** 0 to 1, for the jitter of the reconnect backoff. */
  readonly random?: () => number;
}

/**
 * The ledger's side. The caller holds the lock of its data directory, so a socket file that is already there is a
 * dead process's and is replaced. Fails with a message for the operator.
 */
export async function listenLocalLink(options: LocalLinkOptions): Promise<Result<Bus, string>> {
  const { path, logger } = options;
  const strangers = new Set<Socket>();
  let attached: LinkSession | null = null;

  const server = createServer((socket) => {
    if (strangers.size >= LINK_STRANGERS_MAX) {
      logger.warn('link: too many connections without a greeting; one more is refused');
      socket.destroy();
      return;
    }
    strangers.add(socket);
    new LinkSession(
      socket,
      {
        opened: (session) => {
          strangers.delete(socket);
          if (attached !== null) {
            logger.warn('link: a second edge connects while one is served; it is refused');
            session.close('another edge is served');
            return;
          }
          attached = session;
          logger.info('link: edge connected');
          endpoint.attach(session);
        },
        frame: (session, frame) => endpoint.accept(session, frame),
        drained: (session) => endpoint.drained(session),
        ended: (session, reason, hostile) => {
          strangers.delete(socket);
          if (hostile) logger.warn({ reason }, 'link: connection broken off');
          if (session !== attached) return;
          attached = null;
          logger.info({ reason }, 'link: edge disconnected');
          endpoint.detach(session);
        },
      },
      options.heartbeatMs ?? LINK_HEARTBEAT_MS,
    );
  });
  const endpoint = new LinkEndpoint(async () => {
    for (const socket of strangers) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }, options.publishTimeoutMs ?? LINK_PUBLISH_TIMEOUT_MS);

  const failure = await listenPrivately(server, path);
  if (failure !== null) return err(`cannot listen on ${path}: ${failure}`);
  server.on('error', (error) => logger.error({ err: error }, 'link: listening socket'));
  return ok(endpoint);
}

/** Listens so that no other user can connect, not even between creating the file and setting its mode. */
async function listenPrivately(server: Server, path: string): Promise<string | null> {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    return (error as Error).message;
  }
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message));
    const umask = process.umask(0o177);
    server.listen(path, () => {
      server.removeAllListeners('error');
      try {
        chmodSync(path, 0o600);
        resolve(null);
      } catch (error) {
        resolve((error as Error).message);
      }
    });
    // The file is made synchronously by listen.
    process.umask(umask);
  });
}

/** The edge's side: connects, and connects again with jittered backoff, until it is closed. */
export function connectLocalLink(options: LocalLinkClientOptions): Bus {
  const { path, logger } = options;
  const random = options.random ?? Math.random;
  let waitMs = LINK_RECONNECT_MIN_MS;
  let timer: NodeJS.Timeout | undefined;
  let socket: Socket | undefined;
  let closed = false;
  let complained = false;

  const endpoint = new LinkEndpoint(async () => {
    closed = true;
    clearTimeout(timer);
    const last = socket;
    if (last === undefined || last.closed) return;
    await new Promise<void>((resolve) => {
      last.once('close', () => resolve());
      if (!last.writableEnded) last.destroy();
    });
  }, options.publishTimeoutMs ?? LINK_PUBLISH_TIMEOUT_MS);

  const tryAgain = (reason: string, hostile: boolean): void => {
    if (closed) return;
    // Said once per outage; the edge runs on without its ledger, and a metric shows the outbox.
    if (hostile || !complained) logger.warn({ reason, path }, 'link: no ledger; connecting again');
    complained = true;
    // Half the wait is fixed, so that a dead ledger is not hammered; half is jitter.
    timer = setTimeout(open, waitMs / 2 + (random() * waitMs) / 2);
    waitMs = Math.min(waitMs * 2, LINK_RECONNECT_MAX_MS);
  };

  const open = (): void => {
    const stranger = strangerOf(path);
    if (stranger !== null) {
      tryAgain(stranger, false);
      return;
    }
    socket = connect(path);
    new LinkSession(
      socket,
      {
        opened: (session) => {
          waitMs = LINK_RECONNECT_MIN_MS;
          complained = false;
          logger.info('link: connected to the ledger');
          endpoint.attach(session);
        },
        frame: (session, frame) => endpoint.accept(session, frame),
        drained: (session) => endpoint.drained(session),
        ended: (session, reason, hostile) => {
          endpoint.detach(session);
          tryAgain(reason, hostile);
        },
      },
      options.heartbeatMs ?? LINK_HEARTBEAT_MS,
    );
  };

  open();
  return endpoint;
}

/** Why the socket file must not be trusted, or null: in a shared temporary directory anybody could have made it. */
function strangerOf(path: string): string | null {
  try {
    const owner = lstatSync(path).uid;
    return process.getuid === undefined || owner === process.getuid()
      ? null
      : `the socket belongs to user ${owner}`;
  } catch (error) {
    return (error as Error).message;
  }
}
