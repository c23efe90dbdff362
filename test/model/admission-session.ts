// Carries a scenario out on the rig and on the model at once, and compares after every step.

import assert from 'node:assert/strict';
import { must } from '../../src/core/assert.js';
import { investmentId } from '../../src/core/ids.js';
import type { OutcomeMessage } from '../../src/core/messages.js';
import { packMsgpack } from '../../src/core/msgpack.js';
import type { RoundDefinition } from '../../src/core/round.js';
import { signToken } from '../../src/core/token-signing.js';
import { REQUEST, REQUEST_FLAG } from '../../src/workers/protocol.js';
import { Ask, keyOf } from './admission-ask.js';
import {
  type AskCommand,
  type BalanceCommand,
  type Command,
  currencyOf,
  FIRST_ROUNDS,
  INVESTORS,
  type OutcomeCommand,
  type Scenario,
} from './admission-commands.js';
import { AdmissionModel } from './admission-model.js';
import { AdmissionRig, RIG_SECRET } from './admission-rig.js';
import { checkHttp, checkLive, decodeBody, investmentView } from './answer-check.js';
import { checkCounters, checkJournal } from './journal-check.js';
import { outcomeMessage } from './outcome-message.js';

const START_MS = Date.parse('2026-11-23T10:00:00.000Z');
const FAR_S = START_MS / 1000 + 86_400;
const tokens = new Map(
  INVESTORS.map(
    (investor) => [investor, signToken(RIG_SECRET, { subject: investor, expiresAtS: FAR_S })] as const,
  ),
) as ReadonlyMap<string, string>;

export class AdmissionSession {
  readonly #rig: AdmissionRig;
  readonly #shards: number;
  readonly #model = new AdmissionModel((sequence) => this.#id(sequence));
  #nowMs = START_MS;
  /** Requests at each shard's queue, in their order. */
  readonly #waiting: Ask[][];
  restarts = 0;
  replays = 0;

  constructor(dir: string, { shards }: Scenario) {
    this.#shards = shards;
    this.#waiting = Array.from({ length: shards }, () => []);
    this.#rig = new AdmissionRig({
      dir,
      shards,
      clock: () => this.#nowMs,
      onBatch: (shard, requests) => this.#expect(shard, requests),
      onMisrouted: (shard, target) => this.#waiting[shard]!.push(target as Ask),
    });
  }

  get model(): AdmissionModel {
    return this.#model;
  }

  async start(): Promise<void> {
    await this.#rig.start();
    for (const definition of FIRST_ROUNDS) this.#changeRound('created', definition);
    const lines = INVESTORS.slice(0, 4).map((investor) => ({ investor, currency: currencyOf(investor) }));
    await this.#import(lines.map((line) => ({ ...line, balance: 5_000, eligible: true })));
  }

  async run(command: Command): Promise<void> {
    switch (command.type) {
      case 'batch':
        await this.#batch(command.asks);
        break;
      case 'outcomes':
        this.#outcomes(command.outcomes);
        break;
      case 'state': {
        const { definition } = this.#round(command.round);
        const change = { open: 'resumed', paused: 'paused', closed: 'closed' } as const;
        // Closed is for ever.
        if (definition.state !== 'closed')
          this.#changeRound(change[command.state], { ...definition, state: command.state });
        break;
      }
      case 'raise': {
        const { definition } = this.#round(command.round);
        this.#changeRound('amended', { ...definition, cap: definition.cap + command.by });
        break;
      }
      case 'import':
        await this.#import(
          command.balances.map((each) => ({ ...each, currency: currencyOf(each.investor) })),
        );
        break;
      case 'ledger-balances':
        this.#ledgerBalances(command.balances);
        break;
      case 'catch-up':
        await this.#rig.catchUp(command.rows);
        break;
      case 'time':
        this.#nowMs += command.ms;
        break;
      case 'restart':
        await this.#restart(command.how, command.loseIndex);
    }
    checkCounters(this.#rig.counters, this.#model);
  }

  /** The journal and the index agree with the model, row by row and in their sums. */
  async finish(): Promise<void> {
    await this.#rig.catchUp(Number.POSITIVE_INFINITY);
    const check = this.#rig.indexer.selfCheck();
    assert.ok(check.ok && check.value.differences.length === 0, JSON.stringify(check));
    checkJournal(this.#rig.journalDir, this.#model);
  }

  stop(): Promise<void> {
    return this.#rig.stop('clean');
  }

  #id(sequence: number): string {
    return investmentId(this.#rig.journalId, sequence);
  }

  #round(number: number) {
    return must(this.#model.rounds.get(number), `round ${number}`);
  }

  #changeRound(change: Parameters<AdmissionRig['changeRound']>[0], definition: RoundDefinition): void {
    this.#rig.changeRound(change, definition);
    this.#model.changeRound(definition);
  }

  async #import(
    lines: readonly { investor: string; balance: number; currency: string; eligible: boolean }[],
  ): Promise<void> {
    await this.#rig.importBalances(lines);
    for (const { investor, balance, currency, eligible } of lines) {
      this.#model.setBalance(investor, balance, currency, eligible);
    }
  }

  #ledgerBalances(balances: readonly BalanceCommand[]): void {
    const at = new Date(this.#nowMs).toISOString();
    const messages = balances.flatMap(({ investor, balance, eligible, versionStep }, i) => {
      const known = this.#model.account(investor).version;
      const version = Math.max(1, known + versionStep);
      // One version has one balance: nothing else is said of a version that is known.
      if (version === known || balances.findIndex((each) => each.investor === investor) < i) return [];
      return [{ investor, currency: currencyOf(investor), balance, eligible, version, at }];
    });
    this.#rig.balanceMessages(messages);
    for (const { investor, currency, balance, eligible, version } of messages) {
      this.#model.setBalance(investor, balance, currency, eligible, version);
    }
  }

  async #batch(commands: readonly AskCommand[]): Promise<void> {
    const asks = commands.map((command) => new Ask(command));
    for (const ask of asks) this.#add(ask);
    await this.#rig.drained();
    for (const ask of asks) this.#check(ask);
  }

  #add(ask: Ask): void {
    const { investor, round, amount, flaw, astray, way } = ask.command;
    const owner = this.#rig.shardOf(investor);
    const shard = astray ? (owner + 1) % this.#shards : owner;
    const number = flaw === 'unknown-round' ? 0 : round;
    const token = flaw === 'bad-token' ? 'e30.e30.e30' : must(tokens.get(investor), 'a token');
    const keyText = keyOf(ask.command);
    let flags: number = ask.msgpack ? REQUEST_FLAG.msgpackBody | REQUEST_FLAG.msgpackAnswer : 0;
    let kind: number = REQUEST.invest;
    let fields: [token: string, key: string, body: Record<string, unknown> | null];
    const currency = flaw === 'other-currency' ? 'USD' : this.#currency(round);
    const body = { amount: flaw === 'bad-body' ? 1.5 : amount, currency };
    if (ask.command.ask !== 'invest') {
      kind = ask.command.ask === 'one' ? REQUEST.readOne : REQUEST.readList;
      flags &= REQUEST_FLAG.msgpackAnswer;
      fields = [token, ask.command.ask === 'one' ? this.#pickId(ask) : '', null];
    } else if (!ask.live) fields = [token, keyText, body];
    else {
      kind = REQUEST.live;
      const own = way === 'live-msgpack' || flaw === 'bad-token';
      fields = [
        own ? '' : investor,
        '',
        { type: 'invest', key: keyText, ...body, ...(own ? { token } : {}) },
      ];
    }
    const [tokenField, keyField, content] = fields;
    const bytes =
      content === null ? null : ask.msgpack ? packMsgpack(content) : Buffer.from(JSON.stringify(content));
    this.#waiting[shard]!.push(ask);
    assert.ok(this.#rig.queue(shard).add(kind, flags, number, tokenField, keyField, bytes, ask));
  }

  #currency(round: number): string {
    return this.#round(round).definition.currency;
  }

  /** The id of some verdict, mostly of another investor or round: those are not to be seen. */
  #pickId(ask: Ask): string {
    const { key, investor, round } = ask.command;
    const mine = this.#model.list(investor, round);
    ask.asked = key < 3 ? mine[key] : [...this.#model.verdicts.values()][key];
    return ask.asked === undefined ? 'nothing' : this.#id(ask.asked.sequence);
  }

  /** A batch is about to be decided: what must come of it. */
  #expect(shard: number, requests: number): void {
    const reads: Ask[] = [];
    for (const ask of this.#waiting[shard]!.splice(0, requests)) {
      const { command } = ask;
      const { investor, round, amount, flaw } = command;
      // A live message is read before it is known whose it is.
      const unreadable = command.ask === 'invest' && (flaw === 'bad-key' || flaw === 'bad-body');
      if (flaw === 'bad-token') ask.expected = { kind: 'refusal', code: 'unauthenticated', members: {} };
      else if (unreadable && ask.live)
        ask.expected = { kind: 'refusal', code: 'malformed-request', members: {} };
      else if (this.#rig.shardOf(investor) !== shard) continue;
      else if (command.ask !== 'invest') {
        if (flaw === 'unknown-round')
          ask.expected = { kind: 'refusal', code: 'round-not-found', members: {} };
        else reads.push(ask);
      } else if (unreadable) ask.expected = { kind: 'refusal', code: 'malformed-request', members: {} };
      else {
        const currency = flaw === 'other-currency' ? 'USD' : this.#currency(round);
        const number = flaw === 'unknown-round' ? 0 : round;
        ask.expected = this.#model.invest(
          { investor, round: number, key: keyOf(command), amount, currency },
          this.#nowMs,
        );
        if (ask.expected.kind === 'verdict' && ask.expected.replayed) this.replays++;
      }
    }
    // Reads are rendered after the commit: they see the whole batch.
    for (const ask of reads) ask.expectedViews = this.#views(ask);
  }

  #views(ask: Ask): Record<string, unknown>[] {
    const { investor, round } = ask.command;
    const id = this.#round(round).definition.id;
    const mine = this.#model.list(investor, round);
    const shown =
      ask.command.ask === 'list' ? mine : mine.filter((each) => each.sequence === ask.asked?.sequence);
    return shown.map((each) => investmentView(this.#rig.journalId, each, id));
  }

  #check(ask: Ask): void {
    const { command, msgpack, expected, expectedViews } = ask;
    assert.equal(ask.answers, 1, 'one answer');
    const got = must(ask.got, 'an answer');
    const round = this.#round(command.round).definition.id;
    const { journalId } = this.#rig;
    if (expected !== null) {
      const body = command.flaw === 'bad-key' || command.flaw === 'bad-body';
      if (!ask.live) checkHttp(got, expected, journalId, round, msgpack);
      // A message that is not valid is a problem, not a verdict.
      else if (body) assert.equal(decodeBody(got.body, msgpack)['type'], 'problem');
      else checkLive(got, expected, keyOf(command), journalId, round, msgpack);
    } else if (command.ask === 'list') {
      assert.deepEqual(decodeBody(got.body, msgpack)['investments'], expectedViews);
    } else if (expectedViews?.length === 0) assert.equal(got.status, 404);
    else assert.deepEqual(decodeBody(got.body, msgpack), expectedViews?.[0]);
  }

  #outcomes(commands: readonly OutcomeCommand[]): void {
    const byShard: OutcomeMessage[][] = Array.from({ length: this.#shards }, () => []);
    for (const command of commands) {
      const message = outcomeMessage(command, this.#model, (sequence) => this.#id(sequence), this.#nowMs);
      if (message !== null) byShard[this.#rig.shardOf(message.investor)]!.push(message);
    }
    byShard.forEach((messages, shard) => {
      if (messages.length === 0) return;
      const applied = this.#rig.outcomes(shard, messages);
      messages.forEach((message, at) => {
        const reason = message.reason ?? null;
        const result = this.#model.outcome({ ...message, reason }, this.#nowMs);
        const verdict = this.#model.verdicts.get(message.sequence)!;
        const investment =
          result === 'applied' ? investmentView(this.#rig.journalId, verdict, message.round) : null;
        assert.deepEqual(applied[at], { result, investment });
      });
    });
  }

  async #restart(how: 'clean' | 'crash', loseIndex: boolean): Promise<void> {
    this.restarts++;
    await this.#rig.stop(how);
    if (loseIndex) {
      this.#rig.loseIndex();
      this.#model.forgetBalances();
    }
    await this.#rig.start();
  }
}
