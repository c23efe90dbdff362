// The real parts of admission in one thread: queues with their slabs, shards, counters, journal, indexer and index, on
// a directory of their own. It restarts and crashes them, and lets the caller see each batch before it is decided.

import { rmSync } from 'node:fs';
import path from 'node:path';
import { must } from '../../src/core/assert.js';
import { Counters, counterBytes } from '../../src/core/counters.js';
import { InvestmentIds, ownLineage } from '../../src/core/ids.js';
import { investorHash } from '../../src/core/investor.js';
import type { LeaseWord } from '../../src/core/lease-word.js';
import type { BalanceMessage, OutcomeMessage } from '../../src/core/messages.js';
import type { Result } from '../../src/core/result.js';
import type { RoundChange, RoundDefinition } from '../../src/core/round.js';
import type { AnswerTarget } from '../../src/edge/answer-target.js';
import { ShardQueue } from '../../src/edge/shard-queue.js';
import { AnswerWriter } from '../../src/workers/answer-writer.js';
import { BATCH_FLAG, BATCH_RING_BYTES, BatchRing } from '../../src/workers/batch-ring.js';
import type { BalanceLine } from '../../src/workers/index-balances.js';
import { type IndexDb, openIndex } from '../../src/workers/index-db.js';
import { FrameBuilder } from '../../src/workers/journal-frame.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from '../../src/workers/journal-head.js';
import { JournalIndexer } from '../../src/workers/journal-indexer.js';
import { type JournalDisk, JournalFailed, JournalWriter } from '../../src/workers/journal-writer.js';
import { applyOutcomes } from '../../src/workers/outcome-applier.js';
import type { OutcomeApplied, ShardOptions } from '../../src/workers/protocol.js';
import { Shard } from '../../src/workers/shard.js';
import { ShardStats } from '../../src/workers/shard-stats.js';

export const RIG_SECRET = 'a-secret-of-the-admission-model-with-more-than-32-bytes';
/** Small, so that a run rolls over several. */
const SEGMENT_BYTES = 32_768;

export interface RigOptions {
  readonly dir: string;
  readonly shards: number;
  readonly clock: () => number;
  /** Called right before a batch is decided. */
  readonly onBatch: (shard: number, requests: number) => void;
  /** Called when the shard gave a request back for another one. */
  readonly onMisrouted: (shard: number, target: AnswerTarget) => void;
  /** Until when the shards may admit; absent: it does not end. */
  readonly lease?: LeaseWord;
  /** In place of the disk's own calls. */
  readonly disk?: JournalDisk;
  /** Called when admission has ended for good; throws by default. */
  readonly onFatal?: (reason: string) => void;
}

interface RigShard {
  readonly shard: Shard;
  readonly queue: ShardQueue;
  readonly writer: JournalWriter;
}

function done<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

export class AdmissionRig {
  readonly #options: RigOptions;
  readonly #frame = new FrameBuilder();
  #rounds = new Map<number, RoundDefinition>();
  #headMemory = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
  #counters = new Counters(new SharedArrayBuffer(counterBytes(1)));
  #indexer: JournalIndexer | null = null;
  #index: IndexDb | null = null;
  #shards: RigShard[] = [];
  #epoch = 0;
  journalId = '';

  constructor(options: RigOptions) {
    this.#options = options;
  }

  get counters(): Counters {
    return this.#counters;
  }

  get journalDir(): string {
    return path.join(this.#options.dir, 'journal');
  }

  get indexer(): JournalIndexer {
    return must(this.#indexer, 'a started rig');
  }

  /** The shard of an investor. */
  shardOf(investor: string): number {
    return investorHash(investor) % this.#options.shards;
  }

  queue(shard: number): ShardQueue {
    return must(this.#shards[shard], 'a shard').queue;
  }

  /** Recovers from the directory, as a start of the node does. */
  async start(): Promise<void> {
    const { shards } = this.#options;
    this.#epoch++;
    const countersMemory = new SharedArrayBuffer(counterBytes(shards));
    this.#headMemory = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
    this.#counters = new Counters(countersMemory);
    const indexDir = path.join(this.#options.dir, 'index');
    const memory = { counters: countersMemory, journalHead: this.#headMemory };
    const places = { journalDir: this.journalDir, indexDir, segmentBytes: SEGMENT_BYTES };
    const { indexer, report } = done(await JournalIndexer.recover({ ...places, ...memory }, 0, 1));
    this.#indexer = indexer;
    this.journalId = report.journalId;
    const head = new JournalHead(this.#headMemory);
    head.start(report.journalId, report.end, report.lastSegment);
    this.#rounds = new Map(report.rounds.map(({ definition }) => [definition.number, definition]));
    for (const { definition, totals } of report.rounds) {
      const { investors, settled, declined, admitted } = totals;
      this.#counters.restore(definition.number, {
        room: definition.cap - admitted,
        investors,
        settled,
        declined,
      });
      this.#counters.setState(definition.number, definition.state);
    }
    this.#index = done(openIndex(indexDir, { readOnly: true }));
    const shared = { ...memory, indexDir, journalDir: this.journalDir };
    this.#shards = Array.from({ length: shards }, (_, shard) => this.#makeShard(shard, head, shared));
  }

  #makeShard(
    number: number,
    head: JournalHead,
    shared: Pick<ShardOptions, 'counters' | 'journalHead' | 'indexDir' | 'journalDir'>,
  ): RigShard {
    const { shards, clock, onBatch, onMisrouted } = this.#options;
    const options: ShardOptions = {
      ...shared,
      shard: number,
      shards,
      lineage: ownLineage(this.journalId),
      segmentBytes: SEGMENT_BYTES,
      epoch: this.#epoch,
      token: { secret: RIG_SECRET },
      ratePerS: 0,
      rateBurst: 1,
      rounds: [...this.#rounds.values()],
    };
    const counters = this.#counters;
    const index = must(this.#index, 'an open index');
    const { disk, lease } = this.#options;
    const writer = new JournalWriter(this.journalDir, head, {
      ...options,
      ...(disk === undefined ? {} : { disk }),
    });
    const shard = new Shard(options, {
      counters,
      index,
      writer,
      stats: new ShardStats(counters.stats(number)),
      ...(lease === undefined ? {} : { lease }),
      clock,
    });
    const ring = new BatchRing(new SharedArrayBuffer(BATCH_RING_BYTES));
    const answers = new AnswerWriter();
    const overflows: ArrayBuffer[] = [];
    /** What the thread of a shard does when it is woken. */
    const serve = (): void => {
      while (ring.answered !== ring.published) {
        const batch = ring.answered;
        onBatch(number, ring.requestCount(batch));
        answers.open(ring.answers(batch));
        let flags = 0;
        try {
          shard.process(ring.requests(batch), ring.requestBytes(batch), answers);
        } catch (error) {
          if (!(error instanceof JournalFailed)) throw error;
          flags = BATCH_FLAG.failed;
        }
        const memory = flags === 0 ? answers.overflow : null;
        if (memory !== null) {
          flags = BATCH_FLAG.overflow;
          overflows.push(memory);
        }
        ring.answer(answers.length, flags, head.durableSequence);
      }
      queue.answered();
    };
    const queue: ShardQueue = new ShardQueue({
      ring,
      wake: () => queueMicrotask(serve),
      hold: null,
      takeOverflow: () => must(overflows.shift(), 'answers that did not fit'),
      onMisrouted: (owner, record, target) => {
        onMisrouted(owner, target);
        if (!this.queue(owner).addRecord(record, target)) throw new Error('a queue of the rig is full');
      },
      onFatal:
        this.#options.onFatal ??
        ((reason) => {
          throw new Error(reason);
        }),
      clock,
    });
    return { shard, queue, writer };
  }

  /** Resolves when everything that was added has been answered. */
  async drained(): Promise<void> {
    while (this.#shards.some(({ queue }) => queue.requestsInFlight > 0)) {
      for (const { queue } of this.#shards) await queue.drained();
    }
  }

  /** Journals a change of a round and puts it in force. */
  changeRound(change: RoundChange, definition: RoundDefinition): void {
    const { number } = definition;
    const before = this.#rounds.get(number)?.cap ?? 0;
    this.#frame.reset();
    this.#frame.add({ kind: 'round', sequence: 0, at: this.#options.clock(), change, definition });
    this.#shards[0]!.writer.append(this.#frame, this.#options.clock());
    for (const { shard } of this.#shards) shard.setRound(definition);
    this.#rounds.set(number, definition);
    if (definition.cap > before) this.#counters.addRoom(number, definition.cap - before);
    this.#counters.setState(number, definition.state);
  }

  /** Gives outcomes of one shard's investors to it. */
  outcomes(shardNumber: number, outcomes: readonly OutcomeMessage[]): readonly OutcomeApplied[] {
    const { shard, writer } = this.#shards[shardNumber]!;
    shard.refresh();
    const roundById = (id: string) => [...this.#rounds.values()].find((round) => round.id === id);
    const index = must(this.#index, 'an open index');
    const counters = this.#counters;
    const ids = new InvestmentIds(ownLineage(this.journalId));
    const modules = { counters, index, writer, rows: shard.rows, roundById, ids };
    return applyOutcomes(outcomes, modules, this.#options.clock());
  }

  async importBalances(lines: readonly BalanceLine[]): Promise<void> {
    done(await this.indexer.balances(lines));
  }

  balanceMessages(messages: readonly BalanceMessage[]): void {
    done(this.indexer.balanceMessages(messages));
  }

  async catchUp(rowsMax: number): Promise<void> {
    done(await this.indexer.catchUp(rowsMax));
  }

  /** Ends everything. `crash`: the index stays where its mark is. */
  async stop(how: 'clean' | 'crash'): Promise<void> {
    for (const { writer } of this.#shards) writer.close();
    this.#shards = [];
    await this.#index?.close();
    // The indexer follows the shared head to the last; a process that dies takes that memory with it.
    if (how === 'crash') new BigInt64Array(this.#headMemory).fill(0n);
    done(await this.indexer.close());
    this.#indexer = null;
  }

  /** What a lost disk of the index leaves. Call between `stop` and `start`. */
  loseIndex(): void {
    rmSync(path.join(this.#options.dir, 'index'), { recursive: true });
  }
}
