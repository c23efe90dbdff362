// A double of the node's outside, in memory, for tests of the load tool: it keeps the contract, except where it is told
// to break one promise, so that a test can see the tool find it. It is never used to test the node.

import uWS from 'uWebSockets.js';
import { packMessage, unpackMessage } from './stub-codec.js';

export type StubFault =
  | 'oversell'
  | 'forget'
  | 'two-verdicts'
  | 'two-live'
  | 'full-with-room'
  | 'undersell'
  | 'not-replayed'
  | 'internal';

export interface StubOptions {
  readonly cap: number;
  /** Breaks this promise, each time it could. */
  readonly fault?: StubFault;
  /** Does the work but closes the connection instead of answering, for every n-th request that is new to it. */
  readonly loseEvery?: number;
  /** Holds all answers back until `release` is called. */
  readonly hold?: boolean;
}

export interface StubNode {
  readonly url: string;
  /** Investments that were decided, replays left out. */
  readonly decided: () => number;
  readonly imported: () => number;
  release(): void;
  close(): void;
}

interface Verdict {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly amount: number;
}

interface Item {
  readonly id: string;
  readonly amount: number;
  readonly state: string;
  readonly sequence: number;
}

const ROUND = { id: 'crowd', currency: 'GBP', minimum: 1_000, maximum: 20_000 };
const TITLES: Readonly<Record<string, number>> = {
  'already-invested': 409,
  'insufficient-balance': 422,
  'round-full': 409,
  internal: 500,
};

/** The decisions, apart from any socket. */
class StubRound {
  readonly keys = new Map<string, Verdict>();
  readonly lists = new Map<string, Item[]>();
  readonly balances = new Map<string, number>();
  readonly #options: StubOptions;
  admitted = 0;
  sequence = 0;
  refused = 0;

  constructor(options: StubOptions) {
    this.#options = options;
  }

  view(): Record<string, unknown> {
    const { cap } = this.#options;
    const { admitted, sequence } = this;
    return { ...ROUND, cap, state: 'open', admitted, remaining: cap - admitted, sequence };
  }

  invest(investor: string, key: string, amount: number): { verdict: Verdict; replayed: boolean } {
    const { fault } = this.#options;
    const known = this.keys.get(`${investor} ${key}`);
    if (known !== undefined && fault !== 'two-verdicts')
      return { verdict: known, replayed: fault !== 'not-replayed' };
    const verdict = this.#decide(investor, amount);
    if (verdict.status < 500) this.keys.set(`${investor} ${key}`, verdict);
    return { verdict, replayed: known !== undefined };
  }

  #decide(investor: string, amount: number): Verdict {
    const { cap, fault } = this.#options;
    const list = this.lists.get(investor) ?? [];
    const live = list.find((item) => item.state === 'accepted');
    const remaining = cap - this.admitted;
    if (fault === 'internal') return this.#problem('internal', amount, {});
    if (live !== undefined && fault !== 'two-live' && fault !== 'two-verdicts') {
      return this.#problem('already-invested', amount, { investment: live.id });
    }
    if ((this.balances.get(investor) ?? 0) < amount) return this.#problem('insufficient-balance', amount, {});
    if (fault === 'full-with-room' && ++this.refused % 10 === 0) {
      return this.#problem('round-full', amount, { remaining });
    }
    if (fault === 'undersell' && remaining < cap / 2)
      return this.#problem('round-full', amount, { remaining: 0 });
    if (remaining < amount && fault !== 'oversell') return this.#problem('round-full', amount, { remaining });
    this.admitted += amount;
    const sequence = ++this.sequence;
    const id = `stub-${sequence}`;
    if (fault !== 'forget' || sequence % 7 !== 0) {
      this.lists.set(investor, [{ id, amount, state: 'accepted', sequence }, ...list]);
    }
    return {
      status: 201,
      amount,
      body: { id, round: ROUND.id, investor, amount, state: 'accepted', sequence },
    };
  }

  #problem(code: string, amount: number, members: Record<string, unknown>): Verdict {
    const status = TITLES[code] as number;
    return { status, amount, body: { type: `/problems/${code}`, title: code, status, code, ...members } };
  }
}

function subjectOf(token: string): string {
  const payload = token.split('.')[1] ?? '';
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string }).sub;
}

/** Starts the double on a free port; public and admin routes share it. */
export async function startStubNode(options: StubOptions): Promise<StubNode> {
  const round = new StubRound(options);
  const held: (() => void)[] = [];
  let holding = options.hold === true;
  let seen = 0;
  const app = uWS.App();
  const whenReleased = (answer: () => void): void => {
    if (holding) held.push(answer);
    else answer();
  };
  const losesThis = (replayed: boolean): boolean =>
    options.loseEvery !== undefined && !replayed && ++seen % options.loseEvery === 0;
  const json = (res: uWS.HttpResponse, status: number, body: unknown): void => {
    res.writeStatus(`${status}`).writeHeader('Content-Type', 'application/json').end(JSON.stringify(body));
  };
  const readBody = (res: uWS.HttpResponse, done: (body: Buffer) => void): void => {
    const parts: Buffer[] = [];
    res.onData((chunk, last) => {
      parts.push(Buffer.from(Buffer.from(chunk)));
      if (last) done(Buffer.concat(parts));
    });
  };

  app.get('/v1/rounds', (res) => json(res, 200, { rounds: [round.view()] }));
  app.get('/v1/rounds/:round', (res, req) =>
    req.getParameter(0) === ROUND.id
      ? json(res, 200, round.view())
      : json(res, 404, { code: 'round-not-found' }),
  );
  app.get('/v1/rounds/:round/investments', (res, req) => {
    const investor = subjectOf(req.getHeader('authorization').slice(7));
    json(res, 200, { investments: round.lists.get(investor) ?? [] });
  });
  app.get('/v1/rounds/:round/investments/:id', (res, req) => {
    const investor = subjectOf(req.getHeader('authorization').slice(7));
    const found = round.lists.get(investor)?.find((item) => item.id === req.getParameter(1));
    if (found === undefined) json(res, 404, { code: 'not-found' });
    else json(res, 200, found);
  });
  app.post('/v1/rounds/:round/investments', (res, req) => {
    const investor = subjectOf(req.getHeader('authorization').slice(7));
    const key = req.getHeader('idempotency-key');
    const msgpack = req.getHeader('content-type') === 'application/msgpack';
    let gone = false;
    res.onAborted(() => {
      gone = true;
    });
    readBody(res, (body) => {
      const { amount } = unpackMessage(body, msgpack) as { amount: number };
      const { verdict, replayed } = round.invest(investor, key, amount);
      const answer = (): void => {
        if (gone) return;
        if (losesThis(replayed)) {
          res.close();
          return;
        }
        res.cork(() => {
          res.writeStatus(`${verdict.status}`);
          if (replayed) res.writeHeader('Idempotency-Replayed', 'true');
          res.writeHeader('Content-Type', `application/${msgpack ? 'msgpack' : 'json'}`);
          res.end(packMessage(verdict.body, msgpack));
        });
      };
      whenReleased(answer);
    });
  });
  for (const path of ['/admin/v1/accounts', '/admin/v1/investors']) {
    app.post(path, (res) => {
      res.onAborted(() => undefined);
      readBody(res, (body) => {
        for (const line of body.toString().trim().split('\n')) {
          const { investor, balance } = JSON.parse(line) as { investor: string; balance: number };
          round.balances.set(investor, balance);
        }
        res.cork(() => json(res, 200, {}));
      });
    });
  }
  app.ws<{ msgpack: boolean; open: boolean }>('/v1/rounds/:round/live', {
    idleTimeout: 60,
    upgrade(res, req, context) {
      const protocol = req.getHeader('sec-websocket-protocol');
      const data = { msgpack: protocol.endsWith('msgpack'), open: true };
      const [key, extensions] = [
        req.getHeader('sec-websocket-key'),
        req.getHeader('sec-websocket-extensions'),
      ];
      res.upgrade(data, key, protocol, extensions, context);
    },
    open(ws) {
      const { msgpack } = ws.getUserData();
      ws.send(packMessage({ type: 'welcome', investments: [], round: round.view() }, msgpack), msgpack);
    },
    message(ws, payload) {
      const data = ws.getUserData();
      const message = unpackMessage(Buffer.from(payload), data.msgpack) as Record<string, string>;
      const { key, token } = message as { key: string; token: string };
      const amount = (message as unknown as { amount: number }).amount;
      const { verdict, replayed } = round.invest(subjectOf(token), key, amount);
      const { status, body } = verdict;
      const answer = {
        type: 'verdict',
        key,
        status,
        replayed,
        ...(status === 201 ? { investment: body } : { problem: body }),
      };
      whenReleased(() => {
        if (!data.open) return;
        if (losesThis(replayed)) ws.close();
        else ws.send(packMessage(answer, data.msgpack), data.msgpack);
      });
    },
    close(ws) {
      ws.getUserData().open = false;
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    app.listen('127.0.0.1', 0, (socket) => {
      if (socket === false) reject(new Error('no port to listen on'));
      else resolve(uWS.us_socket_local_port(socket));
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    decided: () => round.keys.size,
    imported: () => round.balances.size,
    release() {
      holding = false;
      for (const answer of held.splice(0)) answer();
    },
    close: () => app.close(),
  };
}
