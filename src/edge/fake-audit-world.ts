// For tests only: a node's data as an audit sees it, without the node. The journal and the index are real; shards,
// ledger and watermark are played by hand, so that each investment may stand anywhere between two steps:
//
//   reserve ▶ append ▶ index ▶ the ledger decides ▶ append the outcome ▶ release

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { Counters, counterBytes } from '../core/counters.js';
import { investmentId, ownLineage } from '../core/ids.js';
import type { OutcomeMessage } from '../core/messages.js';
import { ok } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import type { OutcomeRow, Row } from '../core/rows.js';
import type { Watermark } from '../engines/watermark.js';
import { AT, outcomeRow, roundRow, verdictRow } from '../workers/journal-fixture.js';
import { FrameBuilder } from '../workers/journal-frame.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from '../workers/journal-head.js';
import { JournalIndexer } from '../workers/journal-indexer.js';
import { JournalWriter } from '../workers/journal-writer.js';
import type { UpkeepAnswer, UpkeepTask } from '../workers/upkeep-protocol.js';
import { UpkeepWork } from '../workers/upkeep-work.js';
import { EdgeAudit, type EdgeAuditModules } from './audit.js';
import type { EdgeAuditReport } from './audit-report.js';
import { FAKE_SECRET, FakeLedger } from './fake-ledger.js';

const SEGMENT_BYTES = 65_536;
const EPOCH = 3;
/** No machine crashes in these tests. */
const HASTY_DISK = { write: fs.writeSync, sync: (): void => undefined };

export const ROUND: RoundDefinition = roundRow('created', { cap: 10_000_000 }).definition;

/** An accepted investment. */
export interface Held {
  readonly sequence: number;
  readonly investor: string;
  readonly amount: number;
}

interface Made {
  readonly root: string;
  readonly headMemory: SharedArrayBuffer;
  readonly counters: Counters;
  readonly indexer: JournalIndexer;
  readonly ledger: FakeLedger;
}

export class AuditWorld {
  readonly journalDir: string;
  readonly indexDir: string;
  readonly headMemory: SharedArrayBuffer;
  readonly head: JournalHead;
  readonly counters: Counters;
  readonly indexer: JournalIndexer;
  readonly ledger: FakeLedger;
  readonly segmentBytes = SEGMENT_BYTES;
  /** As the node knows it. */
  round = ROUND;
  /** As it is stored. */
  watermark: Watermark | null = null;
  /** The rows in Cassandra; null without it. */
  rows: EdgeAuditModules['rows'] = null;
  /** NSQ; null without it. */
  nsq: EdgeAuditModules['nsq'] = null;
  /** Called wherever an audit waits: there the world may go on. */
  onPause: () => Promise<void> = async () => undefined;
  readonly #root: string;
  readonly #writer: JournalWriter;
  readonly #frame = new FrameBuilder();
  readonly #work: UpkeepWork;
  /** What shards have begun and not ended. */
  #begun: (() => void)[] = [];
  #investors = 0;

  private constructor({ root, headMemory, counters, indexer, ledger }: Made) {
    this.#root = root;
    this.journalDir = path.join(root, 'journal');
    this.indexDir = path.join(root, 'index');
    this.headMemory = headMemory;
    this.head = new JournalHead(headMemory);
    this.counters = counters;
    this.indexer = indexer;
    this.ledger = ledger;
    const options = { segmentBytes: SEGMENT_BYTES, epoch: EPOCH, disk: HASTY_DISK };
    this.#writer = new JournalWriter(this.journalDir, this.head, options);
    const lineage = ownLineage(this.head.journalId);
    const places = { journalDir: this.journalDir, indexDir: this.indexDir, lineage };
    this.#work = new UpkeepWork({ ...places, segmentBytes: SEGMENT_BYTES, journalHead: headMemory });
  }

  /** A world with one open round and nothing in it. */
  static async make(): Promise<AuditWorld> {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'openbell-audit-'));
    const headMemory = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
    const shared = new SharedArrayBuffer(counterBytes(1));
    const recovery = await JournalIndexer.recover(
      {
        journalDir: path.join(root, 'journal'),
        indexDir: path.join(root, 'index'),
        segmentBytes: SEGMENT_BYTES,
        counters: shared,
        journalHead: headMemory,
      },
      0,
    );
    if (!recovery.ok) throw new Error(recovery.error.message);
    const { indexer, report } = recovery.value;
    new JournalHead(headMemory).start(report.journalId, report.end, report.lastSegment);
    const counters = new Counters(shared);
    const world = new AuditWorld({ root, headMemory, counters, indexer, ledger: await FakeLedger.start() });
    world.append(roundRow('created', ROUND));
    counters.addRoom(ROUND.number, ROUND.cap);
    return world;
  }

  /** Ends the world and removes its files. */
  async end(): Promise<void> {
    await this.ledger.stop();
    await this.indexer.close();
    this.#writer.close();
    fs.rmSync(this.#root, { recursive: true, force: true });
  }

  /** Appends rows as one frame, whatever they are; the sequence of the first. */
  append(...rows: Row[]): number {
    this.#frame.reset();
    for (const row of rows) this.#frame.add(row);
    return this.#writer.append(this.#frame, AT);
  }

  id({ sequence }: Held): string {
    return investmentId(this.head.journalId, sequence);
  }

  /** An investment all the way into the journal, and the counters with it. */
  accept(amount = 500): Held {
    const accept = this.beginAccept(amount);
    const held = accept();
    this.endAll();
    return held;
  }

  /** Reserves the room; what is returned appends the row. */
  beginAccept(amount: number): () => Held {
    const investor = `investor-${this.#investors++}`;
    this.counters.reserve(ROUND.number, amount);
    this.counters.addInvestors(ROUND.number, 1);
    let held: Held | null = null;
    const append = (): Held => {
      held ??= { investor, amount, sequence: this.append(verdictRow(investor, { amount })) };
      return held;
    };
    this.#begun.push(append);
    return append;
  }

  /** The ledger decides; `settled` unless it declines. */
  decide(
    held: Held,
    state: 'settled' | 'declined' = 'settled',
    change: Partial<OutcomeMessage> = {},
  ): OutcomeMessage {
    const outcome: OutcomeMessage = {
      id: this.id(held),
      round: ROUND.id,
      investor: held.investor,
      sequence: held.sequence,
      amount: held.amount,
      currency: ROUND.currency,
      state,
      ...(state === 'declined' ? { reason: 'insufficient-funds' } : {}),
      balance: 1000,
      balanceVersion: 2,
      eligible: true,
      at: new Date(AT).toISOString(),
      ...change,
    };
    this.ledger.outcomes.push(outcome);
    return outcome;
  }

  /** Journals an outcome; the counters follow when the shard has ended, at the next barrier at the latest. */
  beginOutcome(
    held: Held,
    state: 'settled' | 'declined' = 'settled',
    change: Partial<OutcomeRow> = {},
  ): void {
    const { amount, investor, sequence } = held;
    const reason = state === 'declined' ? ('insufficient-funds' as const) : null;
    this.append(outcomeRow(investor, sequence, { amount, state, reason, ...change }));
    this.#begun.push(() => {
      const { number } = ROUND;
      if (state === 'settled') this.counters.addSettled(number, amount);
      else {
        this.counters.addDeclined(number, amount);
        this.counters.addInvestors(number, -1);
        this.counters.addRoom(number, amount);
      }
    });
  }

  /** An outcome all the way: decided, journaled, counted. */
  settle(held: Held, state: 'settled' | 'declined' = 'settled'): void {
    this.decide(held, state);
    this.beginOutcome(held, state);
    this.endAll();
  }

  /** Ends the first thing that a shard has begun. */
  endOne(): void {
    this.#begun.shift()?.();
  }

  /** Ends whatever shards have begun. */
  endAll(): void {
    const begun = this.#begun;
    this.#begun = [];
    for (const end of begun) end();
  }

  /** Raises the cap as the node does: the journal first, then room and definition at once. */
  raiseCap(by: number): void {
    const raised = { ...this.round, cap: this.round.cap + by };
    this.append(roundRow('amended', raised));
    this.counters.addRoom(raised.number, by);
    this.round = raised;
  }

  /** Stores a watermark of what is durable now. */
  mark(change: Partial<Watermark> = {}): void {
    const { journalId, durableSequence: sequence } = this.head;
    this.watermark = {
      epoch: EPOCH,
      journalId,
      sequence,
      rounds: [],
      at: new Date(AT).toISOString(),
      ...change,
    };
  }

  /** What the upkeep thread would answer. */
  async upkeep<T extends UpkeepTask>(task: T): Promise<UpkeepAnswer<T>> {
    await this.onPause();
    return this.#work.run(task);
  }

  /** One audit of it all. */
  async audit(secret: string = FAKE_SECRET, ledgerUrl: string = this.ledger.url): Promise<EdgeAuditReport> {
    this.ledger.onRequest = () => this.onPause();
    const audit = new EdgeAudit({
      config: {
        ledgerUrl,
        jwtSecret: secret,
        jwtAudience: undefined,
        jwtIssuer: undefined,
        adminToken: undefined,
      },
      upkeep: { run: (task) => this.upkeep(task) },
      rows: this.rows,
      nsq: this.nsq,
      counters: this.counters,
      head: this.head,
      rounds: { list: () => [this.round] },
      barrier: async () => {
        await this.onPause();
        this.endAll();
        await this.onPause();
      },
      watermark: async () => ok(this.watermark),
      epoch: EPOCH,
      logger: pino({ level: 'silent' }),
    });
    const report = await audit.run();
    if (!report.ok) throw new Error(report.error.detail);
    return report.value;
  }
}
