// What the front end and an admission shard say to each other. A batch is a slab of requests in shared memory
// (batch-ring.ts); its answers come back beside it, in the same order. Everything rare is a message.
//
//   request  u32 length | u8 kind | u8 flags | u16 round | u16 token | u16 body | u8 key | 3 spare | token key body
//   answer   u32 length | u16 status | u8 kind | u8 flags | u16 head | u16 investor | u32 body | head investor body
//
// Little endian, each record padded to four bytes. Strings are ASCII; a body is whatever the client's format is.

import type { MessagePort } from 'node:worker_threads';
import type { Lineage } from '../core/ids.js';
import type { OutcomeMessage } from '../core/messages.js';
import type { RoundChange, RoundDefinition } from '../core/round.js';
import type { TokenOptions } from '../core/token.js';

/** What a request record asks for. */
export const REQUEST = {
  /** POST of an investment: token, idempotency key and body as the client sent them. */
  invest: 1,
  /** GET of one investment: the key field holds its id. */
  readOne: 2,
  /** GET of the caller's investments. */
  readList: 3,
  /** A frame of a live connection: the token field holds the connection's investor, if it has one. */
  live: 4,
  /** A live connection that presents its token in the upgrade: answered by what `welcome` needs. */
  identify: 5,
} as const;

export const REQUEST_FLAG = {
  /** The body is MessagePack. */
  msgpackBody: 1,
  /** The answer shall be MessagePack. */
  msgpackAnswer: 2,
} as const;

export const ANSWER = {
  /** `head` is the status line and headers, `body` the body. */
  http: 1,
  /** `body` is a frame for the live connection. */
  live: 2,
  /** The live connection is `investor` from now on; `body` is its `investments` member, encoded. */
  identified: 3,
  /** Another shard owns this investor; `status` is that shard's number. Nothing was decided. */
  misrouted: 4,
} as const;

export const ANSWER_FLAG = {
  /** A live frame that is binary. */
  binary: 1,
  /** The client spoke nonsense: count it, and close the connection when it goes on. */
  nonsense: 2,
  /** The frame could not be decoded at all: close the connection. */
  undecodable: 4,
} as const;

export const REQUEST_HEAD_BYTES = 16;
export const ANSWER_HEAD_BYTES = 16;

/** The one task of a shard's thread: it serves until it is told to stop. */
export interface ServeTask {
  /** Memory of a BatchRing. */
  readonly ring: SharedArrayBuffer;
  /** ControlMessage in, ControlAnswer out. */
  readonly control: MessagePort;
  /** Answers that did not fit their slab: one ArrayBuffer for each batch that says so. */
  readonly overflow: MessagePort;
}

/** A change of a round, journaled by the shard that gets it. */
export interface AppendRoundTask {
  readonly kind: 'append-round';
  readonly change: RoundChange;
  readonly definition: RoundDefinition;
}

/** The definition of a round as it is from now on. */
export interface RoundTask {
  readonly kind: 'round';
  readonly definition: RoundDefinition;
}

/** Outcomes from the ledger, for investors of this shard. */
export interface OutcomesTask {
  readonly kind: 'outcomes';
  readonly outcomes: readonly OutcomeMessage[];
}

/** What became of one outcome message. */
export interface OutcomeApplied {
  /** `applied`: journaled now. `duplicate`: it was before. `unknown`: no such accepted investment here. */
  readonly result: 'applied' | 'duplicate' | 'unknown' | 'conflict';
  /** The investment after it, for the investor's live connections; null unless applied. */
  readonly investment: Record<string, unknown> | null;
}

/** Answered when everything handed over before has been: a barrier. */
export interface BarrierTask {
  readonly kind: 'barrier';
}

/** Ends the shard's task; what was handed over before is answered first. */
interface StopTask {
  readonly kind: 'stop';
}

export type ControlTask = AppendRoundTask | RoundTask | OutcomesTask | BarrierTask | StopTask;

/** A control task on its way to the shard. */
export interface ControlMessage {
  readonly id: number;
  /** It is carried out when so many batches have been answered: all that were handed over before it. */
  readonly afterBatches: number;
  readonly task: ControlTask;
}

/** What came of a control task. */
export interface ControlAnswer {
  readonly id: number;
  readonly result: ControlResult<ControlTask>;
}

export type ControlResult<T extends ControlTask> = T extends AppendRoundTask
  ? { readonly sequence: number } | { readonly failed: true }
  : T extends OutcomesTask
    ? { readonly applied: readonly OutcomeApplied[] } | { readonly failed: true }
    : { readonly done: true };

/** `workerData` of an admission shard. */
export interface ShardOptions {
  readonly shard: number;
  readonly shards: number;
  readonly journalDir: string;
  /** Whose ids the rows have: core/ids.ts. */
  readonly lineage: Lineage;
  readonly segmentBytes: number;
  readonly indexDir: string;
  readonly epoch: number;
  /** Shared memory: core/counters.ts, and workers/journal-head.ts. */
  readonly counters: SharedArrayBuffer;
  readonly journalHead: SharedArrayBuffer;
  /** core/lease-word.ts; absent: nobody else can own the rounds. */
  readonly lease?: SharedArrayBuffer;
  readonly token: TokenOptions;
  readonly ratePerS: number;
  readonly rateBurst: number;
  readonly rounds: readonly RoundDefinition[];
}
