// GET /v1/rounds/{round}/live: the WebSocket. Frames go to the investor's shard as they are; the shard decodes,
// decides and encodes, so that this thread only moves bytes.

import type { HttpResponse, TemplatedApp, us_socket_context_t } from 'uWebSockets.js';
import {
  LIVE_BACKPRESSURE_BYTES_MAX,
  LIVE_CONNECTIONS_MAX,
  LIVE_FRAME_BYTES_MAX,
  LIVE_FRAME_READ_BYTES_MAX,
  LIVE_IDLE_S,
  LIVE_IN_FLIGHT_MAX,
  TOKEN_BYTES_MAX,
} from '../core/limits.js';
import type { Problem } from '../core/problem.js';
import { RequestReader } from '../core/request-reader.js';
import type { RoundDefinition } from '../core/round.js';
import { ANSWER, REQUEST, REQUEST_FLAG } from '../workers/protocol.js';
import type { AdmissionGateway } from './admission-gateway.js';
import type { AnswerCursor } from './answer-cursor.js';
import type { AnswerTarget } from './answer-target.js';
import { HttpExchange } from './http-exchange.js';
import { beginsAsInvest, PendingAuth } from './live-auth.js';
import {
  CLOSE,
  decodeInvestments,
  identityExpiryMs,
  LiveConnection,
  type LiveUser,
} from './live-connection.js';
import type { LiveRegistry } from './live-registry.js';
import { bearerToken } from './public-routes.js';
import type { RoundViews } from './round-view.js';

export interface LiveModules {
  readonly gateway: AdmissionGateway;
  readonly rounds: { get(id: string): RoundDefinition | undefined };
  readonly views: RoundViews;
  readonly registry: LiveRegistry;
  /** Browser origins that may connect, besides the node's own. */
  readonly origins: readonly string[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onError: (error: unknown) => void;
  /** An HTTP connection has become a live one. */
  readonly onUpgraded: () => void;
}

const JSON_PROTOCOL = 'openbell.v1+json';
const MSGPACK_PROTOCOL = 'openbell.v1+msgpack';
const OVERLOADED: Problem = { code: 'overloaded', retryAfterS: 1 };

/** The subprotocol to speak: the client's first that is ours; JSON when it names none; null when none fits. */
export function chooseProtocol(offered: string): { readonly name: string; readonly msgpack: boolean } | null {
  if (offered === '') return { name: '', msgpack: false };
  for (const name of offered.split(',').map((each) => each.trim())) {
    if (name === JSON_PROTOCOL) return { name, msgpack: false };
    if (name === MSGPACK_PROTOCOL) return { name, msgpack: true };
  }
  return null;
}

/** True for no browser at all, the node's own pages, or a configured origin. */
export function originAllowed(origin: string, host: string, allowed: readonly string[]): boolean {
  if (origin === '' || allowed.includes(origin)) return true;
  return origin === `http://${host}` || origin === `https://${host}`;
}

interface UpgradeKeys {
  readonly key: string;
  readonly protocol: string;
  readonly extensions: string;
  readonly context: us_socket_context_t;
}

type Proceed = (investor: string, expiresAtMs: number, investments: readonly unknown[]) => void;

/** Waits for the shard's word on the token of an upgrade. */
class PendingUpgrade extends HttpExchange implements AnswerTarget {
  readonly #proceed: Proceed;

  constructor(res: HttpResponse, proceed: Proceed) {
    super(res);
    this.#proceed = proceed;
  }

  override answer(cursor: AnswerCursor): void {
    if (cursor.kind !== ANSWER.identified) super.answer(cursor);
    else if (!this.over) {
      this.#proceed(cursor.investor(), identityExpiryMs(cursor), decodeInvestments(cursor));
    }
  }
}

/** Puts the live route on the app. */
export function addLiveRoute(app: TemplatedApp, modules: LiveModules): void {
  const { gateway, rounds, views, registry, clock, onError } = modules;
  const reader = new RequestReader();

  const guard = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      onError(error);
    }
  };

  app.ws<LiveUser>('/v1/rounds/:round/live', {
    maxPayloadLength: LIVE_FRAME_READ_BYTES_MAX,
    // Twice what closes a slow reader, so that the close frame is never what is dropped.
    maxBackpressure: 2 * LIVE_BACKPRESSURE_BYTES_MAX,
    idleTimeout: LIVE_IDLE_S,
    sendPingsAutomatically: true,

    upgrade: (res, req, context) => {
      let token = '';
      const proceed: Proceed = (investor, expiresAtMs, investments) => {
        const user = { roundId, roundNumber, msgpack, investor, expiresAtMs, investments, connection: null };
        res.cork(() => res.upgrade(user, keys.key, keys.protocol, keys.extensions, keys.context));
      };
      const exchange = new PendingUpgrade(res, proceed);
      const roundId = req.getParameter(0) ?? '';
      const roundNumber = rounds.get(roundId)?.number ?? 0;
      const protocol = chooseProtocol(req.getHeader('sec-websocket-protocol'));
      const authorization = req.getHeader('authorization');
      const origin = req.getHeader('origin');
      const host = req.getHeader('host');
      const key = req.getHeader('sec-websocket-key');
      const keys: UpgradeKeys = {
        key,
        protocol: protocol?.name ?? '',
        extensions: req.getHeader('sec-websocket-extensions'),
        context,
      };
      const msgpack = protocol?.msgpack ?? false;
      if (authorization.length > TOKEN_BYTES_MAX + 7) return exchange.problem({ code: 'headers-too-large' });
      if (gateway.closedBy !== null) return exchange.problem(gateway.closedBy);
      if (registry.size >= LIVE_CONNECTIONS_MAX) return exchange.problem(OVERLOADED);
      if (!originAllowed(origin, host, modules.origins))
        return exchange.problem({ code: 'origin-not-allowed' });
      if (protocol === null) {
        const detail = `Offer the subprotocol ${JSON_PROTOCOL} or ${MSGPACK_PROTOCOL}.`;
        return exchange.problem({ code: 'malformed-request', detail, members: { pointer: '' } });
      }
      if (authorization === '' && roundNumber > 0) return proceed('', 0, []);
      if (authorization === '') return exchange.problem({ code: 'round-not-found' });
      token = bearerToken(authorization);
      const flags = msgpack ? REQUEST_FLAG.msgpackAnswer : 0;
      const queue = gateway.queueForToken(token);
      if (!queue.add(REQUEST.identify, flags, roundNumber, token, '', null, exchange))
        exchange.problem(OVERLOADED);
    },

    open: (ws) => {
      guard(() => {
        modules.onUpgraded();
        const user = ws.getUserData();
        const connection = new LiveConnection(ws, user, {
          round: (id) => views.view(id),
          onIdentified: (which, before) => registry.identified(which, before),
        });
        user.connection = connection;
        registry.add(connection);
        connection.welcome(user.investments);
      });
    },

    message: (ws, message, isBinary) => {
      guard(() => {
        const { connection } = ws.getUserData();
        if (connection !== null) frame(connection, new Uint8Array(message), isBinary);
      });
    },

    close: (ws) => {
      guard(() => {
        const { connection } = ws.getUserData();
        if (connection === null) return;
        connection.closed();
        registry.remove(connection);
      });
    },
  });

  function frame(connection: LiveConnection, bytes: Uint8Array, isBinary: boolean): void {
    if (bytes.length > LIVE_FRAME_BYTES_MAX) {
      connection.close(CLOSE.tooBig, 'message too large');
      return;
    }
    if (isBinary !== connection.msgpack) {
      connection.close(
        CLOSE.undecodable,
        isBinary ? 'this connection speaks text' : 'this connection speaks binary',
      );
      return;
    }
    const closed = gateway.closedBy ?? (connection.waiting >= LIVE_IN_FLIGHT_MAX ? OVERLOADED : null);
    if (closed === null && take(connection, bytes, isBinary)) return;
    // Not taken: the client must hear so under its own key, which is worth a look into the message here.
    reader.read(Buffer.from(bytes), 0, bytes.length, isBinary, 'message');
    connection.refuse(closed ?? OVERLOADED, reader.keyText());
  }

  /** Hands a message to its shard, or holds it behind an `auth`; false when there is no room for it. */
  function take(connection: LiveConnection, bytes: Uint8Array, isBinary: boolean): boolean {
    if (connection.auth !== null) return connection.auth.hold(bytes);
    // Looked into only where it may carry a token that names another shard, or change whom the next ones are of.
    const isRead = gateway.shards > 1 || !beginsAsInvest(bytes, isBinary);
    const isWhole = isRead && reader.read(Buffer.from(bytes), 0, bytes.length, isBinary, 'message');
    const auth =
      isWhole && reader.type === 'auth'
        ? new PendingAuth(connection, (held) => frame(connection, held, isBinary))
        : null;
    const queue =
      isRead && reader.hasToken
        ? gateway.queueForToken(reader.token.text())
        : gateway.queueForInvestor(connection.investor);
    const investor = connection.speaksFor(clock());
    const flags = isBinary ? REQUEST_FLAG.msgpackBody | REQUEST_FLAG.msgpackAnswer : 0;
    const target = auth ?? connection;
    if (!queue.add(REQUEST.live, flags, connection.roundNumber, investor, '', bytes, target)) return false;
    connection.waiting++;
    connection.auth = auth;
    return true;
  }
}
