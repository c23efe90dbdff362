// What the main thread and the replicator thread say to each other. `follow` is one long task, with a port beside it for
// what happens meanwhile; comparisons of the rows are tasks of their own.

import type { MessagePort } from 'node:worker_threads';
import type { AckLevel } from '../core/epochs.js';
import type { Lineage } from '../core/ids.js';
import type { RoundDefinition } from '../core/round.js';
import type { CassandraOptions } from '../engines/cassandra/options.js';
import type { RowsFailure } from '../engines/rows.js';

export interface ReplicationPlaces {
  readonly journalDir: string;
  readonly journalId: string;
  /** Whose ids the rows have: core/ids.ts. */
  readonly lineage: Lineage;
  /** Remembers how far the rows are. */
  readonly cursorFile: string;
}

/** Under what a node writes rows. */
export interface ReplicationTerms {
  readonly epoch: number;
  /** The first sequence of that epoch. */
  readonly firstSequence: number;
  readonly ack: AckLevel;
}

/** `workerData` of the replicator thread. */
export interface ReplicatorOptions extends ReplicationPlaces, ReplicationTerms {
  /** Shared memory: workers/journal-head.ts, edge/replication-words.ts. */
  readonly journalHead: SharedArrayBuffer;
  readonly words: SharedArrayBuffer;
  readonly cassandra: CassandraOptions;
  readonly cluster: string;
  /** Known when the thread starts; later ones are in the journal. */
  readonly rounds: readonly Pick<RoundDefinition, 'id' | 'number'>[];
}

/** Follows the journal until it is told to stop, or must not go on. */
export interface FollowTask {
  readonly kind: 'follow';
  readonly port: MessagePort;
}

/** Compares the rows up to a sequence with the journal, and writes again what differs if that is wanted. */
export interface CompareTask {
  readonly kind: 'compare';
  readonly upTo: number;
  readonly repair: boolean;
}

/** To the thread, through the port. */
export type ReplicatorOrder =
  /** A reply waits for what has just become durable. */
  | 'wake'
  /** Write what is durable, for a while, and end. */
  | 'stop';

/** From the thread, through the port. */
export type ReplicatorNews =
  /** `replicated` has risen in shared memory. */
  | { readonly kind: 'advanced' }
  /** Writes fail, and are tried again. */
  | { readonly kind: 'trouble'; readonly failure: RowsFailure }
  /** They work again. */
  | { readonly kind: 'well' }
  /** Another node has taken over, or these rows are of another journal: what this one writes does not count. */
  | { readonly kind: 'fenced'; readonly reason: string }
  /** The journal cannot be followed. */
  | { readonly kind: 'failed'; readonly reason: string };
