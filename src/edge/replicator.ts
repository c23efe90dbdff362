// Has the rows of the journal written where they outlive its disk, behind what is synced: first by sequence, which is
// what replies may wait for and a rebuild reads, then by investor, which is a view.
//
// Before its first row a node puts its epoch on record. Where a newer one is on record, or the epoch is another
// journal's, nothing more is written: the rows would not count, and the node must not go on admitting. An epoch of
// the journal that is not on record yet, because the store was away while it ran, is put there before its first row.

import type { EpochEntry } from '../core/epochs.js';
import {
  INVESTOR_CHUNK_ROWS,
  INVESTOR_CHUNKS_MAX,
  INVESTOR_GATHER_MS,
  INVESTOR_GATHER_ROWS,
  REPLICATION_CHUNK_ROWS,
  REPLICATION_CHUNKS_MAX,
  REPLICATION_CURSOR_MS,
  REPLICATION_DRAIN_MS,
  REPLICATION_EPOCH_CHECK_MS,
  REPLICATION_FOLLOW_MS,
  REPLICATION_RETRY_MAX_MS,
  REPLICATION_RETRY_MIN_MS,
} from '../core/limits.js';
import type { Result } from '../core/result.js';
import type { RowStore, RowsFailure } from '../engines/rows.js';
import { foundEpoch } from './found-epoch.js';
import { type ReplicationCursor, readCursor, writeCursor } from './replication-cursor.js';
import { ReplicationEntries } from './replication-entries.js';
import type { ReplicationWords } from './replication-words.js';
import type { ReplicationPlaces, ReplicationTerms, ReplicatorNews } from './replicator-protocol.js';
import { RowTail } from './row-tail.js';
import { Waiting } from './waiting.js';

export interface ReplicatorModules {
  readonly store: RowStore;
  readonly words: ReplicationWords;
  readonly durable: () => number;
  readonly rounds: readonly { readonly number: number; readonly id: string }[];
  readonly tell: (news: ReplicatorNews) => void;
  /** Milliseconds since the epoch; milliseconds that never go back; 0 to 1. */
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly random: () => number;
}

export class Replicator {
  readonly #places: ReplicationPlaces;
  readonly #terms: ReplicationTerms;
  readonly #modules: ReplicatorModules;
  readonly #entries: ReplicationEntries;
  readonly #waiting = new Waiting();
  #rows: RowTail | null = null;
  #investors: RowTail | null = null;
  #store = '';
  #stopping = false;
  #isTroubled = false;
  #fenced: string | null = null;
  /** Of the rows that were read last; 0: none were. */
  #foundEpoch = 0;
  #gatherSinceMs = -1;
  #rememberedAtMs = 0;
  #checkedAtMs = 0;

  constructor(places: ReplicationPlaces & ReplicationTerms, modules: ReplicatorModules) {
    this.#places = places;
    this.#terms = places;
    this.#modules = modules;
    this.#entries = new ReplicationEntries(places.lineage, modules.rounds);
  }

  /** There may be more to write. */
  wake(): void {
    this.#waiting.wake();
  }

  /** Has `follow` write what is durable, for a while, and end. */
  stop(): void {
    this.#stopping = true;
    this.#waiting.end();
  }

  /** Writes until it is stopped or must not go on; then it has said why. */
  async follow(): Promise<void> {
    const { words, durable, nowMs } = this.#modules;
    if (durable() > words.get('replicated')) words.set('oldestAtMs', nowMs());
    if (!(await this.#begin())) return;
    let problem: string | null = null;
    while (problem === null && !this.#stopping) {
      problem = (await this.#rows!.fill()) ?? (await this.#fillInvestors());
      this.#publish();
      this.#remember(false);
      void this.#checkEpoch();
      if (problem === null && this.#fenced === null && !this.#stopping)
        await this.#waiting.sleep(REPLICATION_FOLLOW_MS);
      problem ??= this.#fenced;
    }
    if (this.#fenced !== null) this.#modules.tell({ kind: 'fenced', reason: this.#fenced });
    else if (problem !== null && !this.#stopping) this.#modules.tell({ kind: 'failed', reason: problem });
    else await this.#drain();
    this.#remember(true);
    this.#rows?.stop();
    this.#investors?.stop();
  }

  /** Learns which store it is and puts the own epoch on record; false when there is nothing to follow. */
  async #begin(): Promise<boolean> {
    const { journalDir, journalId, cursorFile } = this.#places;
    const { words } = this.#modules;
    const identity = await this.#insist(() => this.#modules.store.identity());
    if (identity === null || !(await this.#claimOwn())) {
      if (this.#fenced !== null) this.#modules.tell({ kind: 'fenced', reason: this.#fenced });
      return false;
    }
    this.#store = identity;
    const cursor = readCursor(cursorFile, journalDir, identity, journalId);
    words.raise('replicated', cursor.rows.nextSequence - 1);
    words.raise('investors', cursor.investors.nextSequence - 1);
    this.#makeTails(cursor);
    return true;
  }

  #makeTails({ rows, investors }: ReplicationCursor): void {
    const { store, words, durable, random } = this.#modules;
    const shared = {
      ...this.#places,
      random,
      delay: (ms: number) => this.#waiting.pause(ms),
    };
    const rowTail = new RowTail({
      ...shared,
      from: rows,
      limit: durable,
      chunkRows: REPLICATION_CHUNK_ROWS,
      chunksMax: REPLICATION_CHUNKS_MAX,
      onWritten: (failure, written) => {
        this.#noteTrouble(failure);
        words.add('rows', written?.rows ?? 0);
        words.add('batches', written?.batches ?? 0);
      },
      onEpoch: (epoch, firstSequence) => this.#claimFound(epoch, firstSequence),
      write: (chunk) => store.write(this.#entries.rows(chunk)),
      onAdvance: ({ nextSequence }) => {
        words.raise('replicated', nextSequence - 1);
        this.#publish();
        this.#modules.tell({ kind: 'advanced' });
        this.wake();
      },
    });
    this.#rows = rowTail;
    this.#investors = new RowTail({
      ...shared,
      from: investors,
      limit: () => rowTail.position.nextSequence - 1,
      chunkRows: INVESTOR_CHUNK_ROWS,
      chunksMax: INVESTOR_CHUNKS_MAX,
      onWritten: (failure, written) => {
        this.#noteTrouble(failure);
        words.add('investorRows', written?.rows ?? 0);
        words.add('investorBatches', written?.batches ?? 0);
      },
      onEpoch: async () => true,
      write: (chunk) => store.writeByInvestor(this.#entries.investorRows(chunk)),
      onAdvance: ({ nextSequence }) => {
        words.raise('investors', nextSequence - 1);
        this.wake();
      },
    });
  }

  /** The view waits until there are many, or for a while. */
  async #fillInvestors(): Promise<string | null> {
    const { monotonicMs } = this.#modules;
    const tail = this.#investors!;
    if (tail.isCaughtUp) {
      this.#gatherSinceMs = -1;
      return null;
    }
    if (this.#gatherSinceMs < 0) this.#gatherSinceMs = monotonicMs();
    const behind = this.#rows!.position.nextSequence - tail.position.nextSequence;
    const waited = monotonicMs() - this.#gatherSinceMs;
    if (behind < INVESTOR_GATHER_ROWS && waited < INVESTOR_GATHER_MS && !this.#stopping) return null;
    this.#gatherSinceMs = -1;
    return await tail.fill();
  }

  /** Puts the epoch of this process on record, unless a newer one is. */
  async #claimOwn(): Promise<boolean> {
    const { epoch, firstSequence, ack } = this.#terms;
    const { journalId } = this.#places;
    const known = await this.#insist(() => this.#modules.store.epochs());
    if (known === null || this.#isPassed(known)) return false;
    const at = this.#modules.nowMs();
    return await this.#claim({ epoch, journalId, firstSequence, builtAfter: 0, ack, at });
  }

  /** Puts an epoch that was found in the journal on record; it may have begun before this sequence. */
  async #claimFound(epoch: number, firstSequence: number): Promise<boolean> {
    const found = { epoch, firstSequence, previous: this.#foundEpoch };
    this.#foundEpoch = epoch;
    if (epoch === this.#terms.epoch) return true;
    return await this.#claim(foundEpoch(this.#places.lineage, found, this.#modules.nowMs()));
  }

  async #claim(entry: EpochEntry): Promise<boolean> {
    const { journalId, lineage } = this.#places;
    const { epoch } = entry;
    const claim = await this.#insist(() => this.#modules.store.claimEpoch(entry));
    if (claim === null) return false;
    if (claim.claimed || lineage.some((entry) => entry.journalId === claim.by.journalId)) return true;
    this.#fenced = `epoch ${epoch} is on record for journal ${claim.by.journalId}, and this one is ${journalId}`;
    return false;
  }

  #isPassed(known: readonly EpochEntry[]): boolean {
    const newer = known.find(({ epoch }) => epoch > this.#terms.epoch);
    if (newer === undefined) return false;
    this.#fenced = `epoch ${newer.epoch} is on record for journal ${newer.journalId}, and this node runs under ${this.#terms.epoch}`;
    return true;
  }

  async #checkEpoch(): Promise<void> {
    const now = this.#modules.monotonicMs();
    if (now - this.#checkedAtMs < REPLICATION_EPOCH_CHECK_MS) return;
    this.#checkedAtMs = now;
    const known = await this.#modules.store.epochs();
    if (known.ok && this.#isPassed(known.value)) this.wake();
  }

  /** Asks until there is an answer; null when it is stopped before. */
  async #insist<T>(ask: () => Promise<Result<T, RowsFailure>>): Promise<T | null> {
    let wait = REPLICATION_RETRY_MIN_MS;
    while (!this.#stopping) {
      const answer = await ask();
      this.#noteTrouble(answer.ok ? null : answer.error);
      if (answer.ok) return answer.value;
      await this.#waiting.pause(wait * (1 + this.#modules.random() / 2));
      wait = Math.min(wait * 2, REPLICATION_RETRY_MAX_MS);
    }
    return null;
  }

  #noteTrouble(failure: RowsFailure | null): void {
    if (failure !== null) this.#modules.words.add('retries', 1);
    if (this.#isTroubled === (failure !== null)) return;
    this.#isTroubled = failure !== null;
    this.#modules.tell(failure === null ? { kind: 'well' } : { kind: 'trouble', failure });
  }

  #publish(): void {
    const { words } = this.#modules;
    words.set('rowsInFlight', this.#rows?.rowsInFlight ?? 0);
    words.set('oldestAtMs', this.#rows?.oldestAtMs ?? 0);
  }

  /** Remembers how far it is, now or when it is time. */
  #remember(now: boolean): void {
    const at = this.#modules.monotonicMs();
    if (this.#rows === null || this.#investors === null) return;
    if (!now && at - this.#rememberedAtMs < REPLICATION_CURSOR_MS) return;
    this.#rememberedAtMs = at;
    const { cursorFile, journalId } = this.#places;
    const [rows, investors] = [this.#rows.position, this.#investors.position];
    try {
      writeCursor(cursorFile, { store: this.#store, journalId, rows, investors });
    } catch (error) {
      const message = `the cursor cannot be remembered: ${(error as Error).message}`;
      this.#modules.tell({ kind: 'trouble', failure: { code: 'refused', message } });
    }
  }

  /** Writes what is durable, as long as that goes well and is not too much. */
  async #drain(): Promise<void> {
    const { monotonicMs } = this.#modules;
    const deadline = monotonicMs() + REPLICATION_DRAIN_MS;
    const isDone = (): boolean => this.#rows!.isCaughtUp && this.#investors!.isCaughtUp;
    while (!isDone() && !this.#isTroubled && monotonicMs() < deadline) {
      if ((await this.#rows!.fill()) !== null || (await this.#investors!.fill()) !== null) return;
      await this.#waiting.next(REPLICATION_FOLLOW_MS);
    }
  }
}
