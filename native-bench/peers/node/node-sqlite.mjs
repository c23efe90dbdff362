// Peer: node:http and better-sqlite3, WAL with synchronous=FULL, one transaction per turn of the event loop. All that
// arrived in a turn is decided in one transaction, whose commit syncs, and only then is any of it answered.

import { createServer } from 'node:http';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import {
  ACCEPTED,
  ALREADY_INVESTED,
  answerOf,
  INSUFFICIENT_BALANCE,
  newJournalId,
  problem,
  ROUND_FULL,
  UNAUTHENTICATED,
} from './answers.mjs';
import { readBody, readKey, refusalOf } from './investment.mjs';
import { announce, investorBatches, settings } from './settings.mjs';
import { investorOf } from './token.mjs';

const BODY_BYTES_MAX = 4_096;
const SEED_ROWS = 10_000;
const JSON_TYPE = /^application\/json\s*(;|$)/i;
const PATH = /^\/v1\/rounds\/([^/?]+)\/investments$/;

const db = new Database(join(settings.dataDir, 'round.sqlite'));
db.pragma('locking_mode = EXCLUSIVE');
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.pragma('cache_size = -262144');
db.pragma('temp_store = MEMORY');
// A checkpoint writes each page once, however often it was changed: rarer ones write less.
db.pragma('wal_autocheckpoint = 16384');
db.exec(`
  CREATE TABLE IF NOT EXISTS journal (id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS investor (id TEXT PRIMARY KEY, balance INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS verdict (
    investor TEXT NOT NULL, key TEXT NOT NULL, code INTEGER NOT NULL, amount INTEGER NOT NULL,
    sequence INTEGER NOT NULL, at INTEGER NOT NULL, extra INTEGER NOT NULL,
    PRIMARY KEY (investor, key)
  ) WITHOUT ROWID;
`);

/** The store's id; a new store is filled with the investors first, in one transaction. */
async function openStore() {
  const known = db.prepare('SELECT id FROM journal').pluck().get();
  if (known !== undefined) return known;
  const id = newJournalId();
  const insert = db.prepare('INSERT INTO investor VALUES (?, ?)');
  db.exec('BEGIN IMMEDIATE');
  for await (const batch of investorBatches(SEED_ROWS)) for (const row of batch) insert.run(row);
  db.prepare('INSERT INTO journal VALUES (?)').run(id);
  db.exec('COMMIT');
  db.pragma('wal_checkpoint(TRUNCATE)');
  return id;
}

const journalId = await openStore();
const begin = db.prepare('BEGIN IMMEDIATE');
const commit = db.prepare('COMMIT');
/** All that an investor has in the round: one range of the key, seldom more than a row. */
const verdictsOf = db.prepare(
  'SELECT key, code, amount, sequence, at, extra FROM verdict WHERE investor = ?',
);
const balanceOf = db.prepare('SELECT balance FROM investor WHERE id = ?').pluck();
const insertVerdict = db.prepare('INSERT INTO verdict VALUES (?, ?, ?, ?, ?, ?, ?)');

// This process is the only writer, so what it has committed it also knows.
let { sequence, admitted } = db
  .prepare(
    `SELECT coalesce(max(sequence), 0) AS sequence,
            coalesce(sum(amount) FILTER (WHERE code = ${ACCEPTED}), 0) AS admitted FROM verdict`,
  )
  .get();

/** Decides one investment inside the transaction; its answer leaves after the commit. */
function decide({ investor, key, amount, currency, refusal, nowMs }) {
  const earlier = verdictsOf.all(investor);
  const same = earlier.find((row) => row.key === key);
  if (same !== undefined) {
    if (same.amount !== amount || currency !== settings.currency) return problem('idempotency-key-reused');
    return answerOf(journalId, investor, same, true);
  }
  if (refusal !== null) return problem(refusal.code, refusal.members);
  const live = earlier.find((row) => row.code === ACCEPTED);
  const room = settings.cap - admitted;
  let code = ACCEPTED;
  let extra = 0;
  if (live !== undefined) {
    code = ALREADY_INVESTED;
    extra = live.sequence;
  } else if ((balanceOf.get(investor) ?? 0) < amount) {
    code = INSUFFICIENT_BALANCE;
  } else if (room < amount) {
    code = ROUND_FULL;
    extra = room;
  } else {
    admitted += amount;
  }
  sequence += 1;
  insertVerdict.run(investor, key, code, amount, sequence, nowMs, extra);
  return answerOf(journalId, investor, { code, amount, sequence, at: nowMs, extra }, false);
}

let waiting = [];

function commitTurn() {
  const turn = waiting;
  waiting = [];
  try {
    begin.run();
    for (const request of turn) request.answer = decide(request);
    commit.run();
  } catch (error) {
    // What a failed commit or sync has left behind is not known: the next start tells.
    console.error(error);
    process.exit(70);
  }
  for (const { response, answer } of turn) send(response, answer);
}

function send(response, { status, headers, body }) {
  response.sendDate = false;
  response.writeHead(status, headers).end(body);
}

/** The request that a whole body makes, or the problem that answers it. */
function read(round, headers, body) {
  const nowMs = Date.now();
  const investor = investorOf(headers.authorization, nowMs);
  if (investor === null) return { answer: UNAUTHENTICATED };
  const key = readKey(headers['idempotency-key']);
  if (key === null) return { answer: problem('malformed-request', ',"pointer":""') };
  const { amount, currency, pointer } = readBody(body);
  if (pointer !== undefined) {
    return { answer: problem('malformed-request', `,"pointer":${JSON.stringify(pointer)}`) };
  }
  if (round !== settings.round) return { answer: problem('round-not-found') };
  return { investor, key, amount, currency, refusal: refusalOf(amount, currency), nowMs };
}

function handle(request, response) {
  const path = PATH.exec(request.url);
  if (path === null || request.method !== 'POST') {
    request.resume();
    send(response, problem(path === null ? 'not-found' : 'method-not-allowed'));
    return;
  }
  const { headers } = request;
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) {
    request.resume();
    send(response, problem('unsupported-media-type'));
    return;
  }
  let text = '';
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) text += chunk.latin1Slice();
  });
  request.on('end', () => {
    if (bytes > BODY_BYTES_MAX) {
      send(response, problem('body-too-large', '', { Connection: 'close' }));
      return;
    }
    const wanted = read(path[1], headers, text);
    if (wanted.answer !== undefined) {
      send(response, wanted.answer);
      return;
    }
    wanted.response = response;
    if (waiting.push(wanted) === 1) setImmediate(commitTurn);
  });
}

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, noDelay: true }, handle);
process.once('SIGTERM', () => {
  server.close(() => db.close());
  server.closeIdleConnections();
});
server.listen(0, '127.0.0.1', () => announce(server.address().port));
