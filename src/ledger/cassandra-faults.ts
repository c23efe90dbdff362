// A client of a real Cassandra whose requests go wrong as a test wants: answers that are lost on their way back, requests
// that are lost on their way there, and requests that arrive only when the test lets them.

import { type Client, errors } from 'cassandra-driver';

/** What happens to a request. */
export type Fate =
  | 'answered'
  /** The server has done it; nobody hears of it. */
  | 'answer-lost'
  /** The server never sees it. */
  | 'request-lost'
  /** The client gives it up; the server gets it when the test says so. */
  | 'late';

export interface FaultyClient {
  readonly client: Client;
  /** Decides about each request by its first statement; called in the order of the requests. */
  fate: (query: string) => Fate;
  /** Lets every late request arrive, and waits until all have been done. */
  arrive(): Promise<void>;
}

type Request = (...args: unknown[]) => Promise<unknown>;

/** Everything is answered until the test sets another fate. */
export function faultyClient(real: Client): FaultyClient {
  const late: (() => Promise<unknown>)[] = [];
  const faulty: FaultyClient = {
    fate: () => 'answered',
    client: new Proxy(real, {
      get: (target, name) => {
        const member = Reflect.get(target, name, target) as unknown;
        if (name !== 'execute' && name !== 'batch')
          return typeof member === 'function' ? member.bind(target) : member;
        const request = (member as Request).bind(target);
        return async (...args: unknown[]) => {
          const fate = faulty.fate(queryOf(args[0]));
          if (fate === 'late') late.push(() => request(...args));
          if (fate === 'late' || fate === 'request-lost') throw timedOut();
          const answer = await request(...args);
          if (fate === 'answer-lost') throw timedOut();
          return answer;
        };
      },
    }),
    arrive: async () => {
      for (const request of late.splice(0)) await request();
    },
  };
  return faulty;
}

const timedOut = (): Error => new errors.OperationTimedOutError('the test lost it');

function queryOf(first: unknown): string {
  if (typeof first === 'string') return first;
  return (first as readonly { readonly query: string }[])[0]?.query ?? '';
}
