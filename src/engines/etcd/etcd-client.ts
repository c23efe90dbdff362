// A thin client of etcd: transactions, leases and nothing else, each call with a deadline of its own, each failure a value.
//
// etcd3 is told to retry nothing and to break no circuit: it would repeat a transaction whose reply was lost without a
// word, and go on failing for seconds after etcd is back. One connection per endpoint; the one that answered last is
// asked first, and a failure moves on to the next. Whoever must not be repeated asks for one attempt and finds out.

import { type CallContext, Etcd3, type IOptions } from 'etcd3';
import { ETCD_ATTEMPTS_MAX, ETCD_CALL_MS, ETCD_RETRY_MS } from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import { type Op, opRequest, type Reply, replyOf, type Txn, type TxnReply, txnRequest } from './etcd-txn.js';

export interface EtcdSettings {
  /** host:port of each member. */
  readonly endpoints: readonly string[];
  /** PEM; null: plain text. */
  readonly tls: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | null;
  readonly login: { readonly username: string; readonly password: string } | null;
}

export interface EtcdFailure {
  /** `unreachable`: it is unknown whether it was done. `refused`: it was not, and asking again does not help. */
  readonly code: 'unreachable' | 'refused';
  readonly message: string;
}

export interface CallOptions {
  /** Times that it is tried, each with its own deadline; default ETCD_ATTEMPTS_MAX. More than one may do it twice. */
  readonly attempts?: number;
  /** Of one attempt; default ETCD_CALL_MS. */
  readonly timeoutMs?: number;
}

export interface MemberStatus {
  readonly id: string;
  readonly version: string;
  /** Size of its database on disk. */
  readonly dbBytes: number;
  /** Id of the member that it takes for the leader; '0': it knows of none. */
  readonly leader: string;
}

export interface ClusterState {
  readonly members: readonly { readonly id: string; readonly name: string; readonly isLearner: boolean }[];
  /** Names of etcd's alarms, such as `Nospace`. */
  readonly alarms: readonly string[];
}

export type LeaseState = 'alive' | 'gone';

/** A call is given up this long after its deadline, in case the client does not notice. */
const DEADLINE_GRACE_MS = 250;

export class EtcdClient {
  readonly #members: readonly { readonly endpoint: string; readonly client: Etcd3 }[];
  #current = 0;
  #closed = false;

  constructor(settings: EtcdSettings) {
    this.#members = settings.endpoints.map((endpoint) => ({
      endpoint,
      client: new Etcd3(optionsFor(endpoint, settings)),
    }));
  }

  /** One transaction. After `unreachable` it may have been made: nothing but what it wrote can tell. */
  txn(txn: Txn, options: CallOptions = {}): Promise<Result<TxnReply, EtcdFailure>> {
    const request = txnRequest(txn);
    return this.#call(async (client, deadline) => {
      const { header, succeeded, responses } = await client.kv.txn(request, deadline);
      return { revision: header.revision, succeeded, replies: responses.map(replyOf) };
    }, options);
  }

  /** Reads as of one moment; the answers in the order of the questions. */
  async read(ops: readonly Op[], options: CallOptions = {}): Promise<Result<readonly Reply[], EtcdFailure>> {
    const request = { compare: [], success: ops.map(opRequest), failure: [] };
    const read = await this.#call((client, deadline) => client.kv.txn(request, deadline), options);
    return read.ok ? ok(read.value.responses.map(replyOf)) : read;
  }

  /** A new lease; the server may make it longer than asked, never shorter. */
  grant(ttlS: number, options: CallOptions = {}): Promise<Result<{ id: string; ttlS: number }, EtcdFailure>> {
    return this.#call(async (client, deadline) => {
      const { ID, TTL } = await client.leaseClient.leaseGrant({ TTL: ttlS }, deadline);
      return { id: ID, ttlS: Number.parseInt(TTL, 10) };
    }, options);
  }

  /** Ends a lease and deletes its keys; one that is gone already is as good. */
  revoke(id: string, options: CallOptions = {}): Promise<Result<void, EtcdFailure>> {
    return this.#call(async (client, deadline) => {
      try {
        await client.leaseClient.leaseRevoke({ ID: id }, deadline);
      } catch (error) {
        if (!isLeaseGone(error)) throw error;
      }
    }, options);
  }

  /** One keepalive, on a stream of its own so that it has a deadline of its own. */
  keepAlive(id: string, options: CallOptions = {}): Promise<Result<LeaseState, EtcdFailure>> {
    return this.#call(async (client, deadline): Promise<LeaseState> => {
      const stream = await client.leaseClient.leaseKeepAlive(deadline);
      return new Promise((resolve, reject) => {
        stream.on('error', reject);
        stream.on('end', () => reject(new Error('the keepalive ended without an answer')));
        stream.on('data', ({ TTL }) => {
          resolve(TTL === '0' ? 'gone' : 'alive');
          stream.end();
        });
        stream.write({ ID: id });
      });
    }, options);
  }

  /** What one member says of itself and of its cluster. */
  status(options: CallOptions = {}): Promise<Result<MemberStatus, EtcdFailure>> {
    return this.#call(async (client, deadline) => {
      const { header, version, dbSize, leader } = await client.maintenance.status(deadline);
      return { id: header.member_id, version, dbBytes: Number.parseInt(dbSize, 10), leader };
    }, options);
  }

  /** Every member of the cluster, started or not, and the alarms that are raised. */
  cluster(options: CallOptions = {}): Promise<Result<ClusterState, EtcdFailure>> {
    return this.#call(async (client, deadline) => {
      const { members } = await client.cluster.memberList({}, deadline);
      const { alarms } = await client.maintenance.alarm({ action: 'Get', memberID: '0' }, deadline);
      return {
        members: members.map(({ ID, name, isLearner }) => ({ id: ID, name, isLearner })),
        alarms: alarms.map(({ alarm }) => String(alarm)),
      };
    }, options);
  }

  /** Seconds that a lease has left; 0 or less when it is gone. */
  leaseLeftS(id: string, options: CallOptions = {}): Promise<Result<number, EtcdFailure>> {
    return this.#call(async (client, deadline) => {
      const { TTL } = await client.leaseClient.leaseTimeToLive({ ID: id, keys: false }, deadline);
      return Number.parseInt(TTL, 10);
    }, options);
  }

  /** Fails what is outstanding. */
  close(): void {
    this.#closed = true;
    for (const { client } of this.#members) client.close();
  }

  async #call<T>(
    work: (client: Etcd3, deadline: { readonly deadline: number }) => Promise<T>,
    { attempts = ETCD_ATTEMPTS_MAX, timeoutMs = ETCD_CALL_MS }: CallOptions,
  ): Promise<Result<T, EtcdFailure>> {
    let failure: EtcdFailure = { code: 'unreachable', message: 'the client of etcd is closed' };
    for (let attempt = 0; attempt < attempts && !this.#closed; attempt++) {
      if (attempt > 0) await pause(ETCD_RETRY_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
      const asked = this.#current;
      const { endpoint, client } = this.#members[asked]!;
      try {
        return ok(
          await within(timeoutMs + DEADLINE_GRACE_MS, work(client, { deadline: Date.now() + timeoutMs })),
        );
      } catch (error) {
        failure = failureOf(endpoint, error);
        if (failure.code === 'refused') break;
        // Another call may have moved on already.
        if (this.#current === asked) this.#current = (asked + 1) % this.#members.length;
      }
    }
    return err(failure);
  }
}

function optionsFor(endpoint: string, { tls, login }: EtcdSettings): IOptions {
  return {
    hosts: tls === null ? `http://${endpoint}` : `https://${endpoint}`,
    // Each call has a deadline of its own; this one is for the log-in, which the client makes by itself.
    defaultCallOptions: ({ isStream }: CallContext) =>
      isStream ? {} : { deadline: Date.now() + ETCD_CALL_MS },
    faultHandling: { global: DO_IT_ONCE, host: () => DO_IT_ONCE },
    grpcOptions: {
      // A connection that broke is made again soon after etcd is back, and a dead peer is noticed.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 2_000,
    },
    ...(tls === null
      ? {}
      : {
          credentials: {
            rootCertificate: tls.ca,
            ...(tls.cert === undefined || tls.key === undefined
              ? {}
              : { certChain: tls.cert, privateKey: tls.key }),
          },
        }),
    ...(login === null ? {} : { auth: { username: login.username, password: login.password } }),
  };
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** The policy that does what it is asked once, and tells how it ended. */
const DO_IT_ONCE = {
  execute: <T>(work: (context: { signal: AbortSignal }) => T | PromiseLike<T>): Promise<T> =>
    new Promise((resolve) => resolve(work({ signal: new AbortController().signal }))),
} as unknown as Policy;

function isLeaseGone(error: unknown): boolean {
  return String((error as Error).message).includes('requested lease not found');
}

/** What etcd says about who asks and what is asked; by name, since etcd3 does not tell its errors by class alone. */
const REFUSALS = [
  'EtcdAuthenticationFailedError',
  'EtcdPermissionDeniedError',
  'GRPCInvalidArgumentError',
  'GRPCUnauthenticatedError',
  'GRPCFailedPreconditionError',
  'GRPCNotImplementedError',
];

function failureOf(endpoint: string, error: unknown): EtcdFailure {
  const failure = error as Error;
  const code = REFUSALS.includes(failure.constructor.name) ? 'refused' : 'unreachable';
  return { code, message: `etcd at ${endpoint}: ${failure.message}` };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
