// The HTTP side of the Fastify peers: the route, what the form of a request refuses, and the answer of a verdict.

import Fastify from 'fastify';
import { answerOf, problem, UNAUTHENTICATED } from './answers.mjs';
import { readBody, readKey, refusalOf } from './investment.mjs';
import { announce, settings } from './settings.mjs';
import { investorOf } from './token.mjs';

const BODY_BYTES_MAX = 4_096;
const BY_ERROR = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-request',
};

/**
 * Listens on a free port of the loopback address until SIGTERM.
 * @param journalId of the store
 * @param admit asked with `{investor, key, amount, isRefused, nowMs}`; resolves to `{verdict, replayed}` when the verdict
 *   is durable, and to null for a request that its terms refuse and whose key is new
 * @param close ends the store's client
 */
export async function serve(journalId, admit, close) {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    keepAliveTimeout: 0,
    return503OnClosing: false,
  });
  app.removeAllContentTypeParsers();
  // The text is read by a reader of its own: what Fastify's JSON parser makes of it no longer shows what was sent.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) =>
    done(null, text),
  );
  app.setNotFoundHandler((_request, reply) => send(reply, problem('not-found')));
  app.setErrorHandler((error, _request, reply) => {
    const code = BY_ERROR[error.code] ?? 'internal';
    if (code === 'internal') console.error(error);
    return send(reply, problem(code, code === 'malformed-request' ? ',"pointer":""' : ''));
  });
  app.post('/v1/rounds/:round/investments', async (request, reply) => {
    const nowMs = Date.now();
    const { headers } = request;
    const investor = investorOf(headers.authorization, nowMs);
    if (investor === null) return send(reply, UNAUTHENTICATED);
    const key = readKey(headers['idempotency-key']);
    if (key === null) return send(reply, problem('malformed-request', ',"pointer":""'));
    const { amount, currency, pointer } = readBody(request.body ?? '');
    if (pointer !== undefined) {
      return send(reply, problem('malformed-request', `,"pointer":${JSON.stringify(pointer)}`));
    }
    if (request.params.round !== settings.round) return send(reply, problem('round-not-found'));
    const refusal = refusalOf(amount, currency);
    const isRefused = refusal !== null;
    const answer = await admit({ investor, key, amount, isRefused, nowMs });
    if (answer === null) return send(reply, problem(refusal.code, refusal.members));
    const { verdict, replayed } = answer;
    if (replayed && (verdict.amount !== amount || currency !== settings.currency)) {
      return send(reply, problem('idempotency-key-reused'));
    }
    return send(reply, answerOf(journalId, investor, verdict, replayed));
  });
  process.once('SIGTERM', async () => {
    await app.close();
    await close();
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  announce(app.server.address().port);
}

const asText = (text) => text;

function send(reply, { status, headers, body }) {
  reply.raw.sendDate = false;
  // A serializer of its own keeps Fastify from adding a charset, which JSON does not have.
  return reply.code(status).headers(headers).serializer(asText).send(body);
}
