// What is compared once the killing is over: every verdict that the clients saw with what the node and the ledger hold.

import { readAnswer } from '../../src/rush/answer.js';
import type { HttpCaller, Reply } from '../../src/rush/http-caller.js';
import { adminCall, type EdgeProcess, type LedgerProcess } from '../harness/node-process.js';
import type { KeyEntry, VerdictBook } from './verdict-book.js';
import type { Workload } from './workload.js';

export interface CheckSubject {
  readonly edge: EdgeProcess;
  readonly ledger: LedgerProcess;
  readonly caller: HttpCaller;
  readonly book: VerdictBook;
  readonly workload: Workload;
  readonly caps: ReadonlyMap<string, number>;
  log(text: string): void;
}

interface Investment {
  readonly id: string;
  readonly amount: number;
  readonly state: string;
}

const PATIENCE_MS = 30_000;
const AT_A_TIME = 128;
const DRAIN_TIMEOUT_MS = 600_000;
const STALE_MS = 150;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as T);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, worker));
}

function readInvestment(subject: CheckSubject, entry: KeyEntry): Promise<Reply> {
  const { caller, workload } = subject;
  const path = `/v1/rounds/${entry.round}/investments/${entry.verdict?.id}`;
  return caller.ask(caller.getRequest(path, workload.token(entry.investor)), PATIENCE_MS);
}

/** A cheap look after a restart: some of the accepted answers, and every cap. */
export async function checkSome(
  subject: CheckSubject,
  count: number,
  random: () => number,
): Promise<string[]> {
  const accepted = subject.book.accepted();
  const some = Array.from({ length: Math.min(count, accepted.length) }, () => {
    return accepted[Math.floor(random() * accepted.length)] as KeyEntry;
  });
  const problems = await checkAccepted(subject, some);
  for (const [round, cap] of subject.caps) {
    const { admitted } = await readTotals(subject, round);
    if (!(admitted <= cap)) problems.push(`${round}: admitted ${admitted} of a cap of ${cap}`);
  }
  return problems;
}

/** Everything. Returns what is wrong, described. */
export async function checkAll(subject: CheckSubject): Promise<string[]> {
  const { book, log } = subject;
  log(`asking all ${book.entries.length} keys again`);
  const problems = await resolveAll(subject);
  const accepted = book.accepted();
  log(`reading all ${accepted.length} accepted investments`);
  problems.push(...(await checkAccepted(subject, accepted)));
  log('waiting until the ledger has answered for all of them');
  problems.push(...(await checkOutcomes(subject, accepted)));
  const summary = (await adminCall(`${subject.ledger.ledgerUrl}/admin/v1/summary?verify=true`, 'GET')) as {
    readonly entriesSum: number;
    readonly faults: readonly { readonly invariant: string; readonly detail: string }[];
  };
  if (summary.entriesSum !== 0) problems.push(`ledger entries add up to ${summary.entriesSum}`);
  problems.push(...summary.faults.map(({ invariant, detail }) => `ledger: ${invariant} broken: ${detail}`));
  problems.push(...book.contradictions, ...book.surprises);
  return problems;
}

async function resolveAll(subject: CheckSubject): Promise<string[]> {
  const { book, caller, workload } = subject;
  const problems: string[] = [];
  await forEach(book.entries, async (entry) => {
    const known = entry.verdict !== undefined;
    const reply = await caller.ask(workload.request(entry), PATIENCE_MS);
    const answer = readAnswer(reply.status, reply.replayed, reply.body);
    if (!book.record(entry, answer))
      problems.push(`key ${entry.key}: no verdict in the end, ${reply.status}`);
    else if (known && !answer.replayed) problems.push(`key ${entry.key}: was known, yet not replayed`);
  });
  return problems;
}

async function checkAccepted(subject: CheckSubject, entries: readonly KeyEntry[]): Promise<string[]> {
  const problems: string[] = [];
  await forEach(entries, async (entry) => {
    const reply = await readInvestment(subject, entry);
    const view = reply.body as Investment | undefined;
    const there = reply.status === 200 && view?.id === entry.verdict?.id && view?.amount === entry.amount;
    if (!there)
      problems.push(`accepted ${entry.verdict?.id} (key ${entry.key}) is not there: ${reply.status}`);
  });
  return problems;
}

interface Totals {
  readonly admitted: number;
  readonly settled: number;
  readonly investors: number;
}

async function readTotals(subject: CheckSubject, round: string): Promise<Totals> {
  const reply = await subject.caller.ask(subject.caller.getRequest(`/v1/rounds/${round}`), PATIENCE_MS);
  if (reply.status !== 200) throw new Error(`round ${round} answers ${reply.status} ${reply.reason}`);
  return reply.body as Totals;
}

/** Each accepted investment ends settled or declined, an investor has one live at most, and the sums are the node's. */
async function checkOutcomes(subject: CheckSubject, accepted: readonly KeyEntry[]): Promise<string[]> {
  const problems: string[] = [];
  const deadline = performance.now() + DRAIN_TIMEOUT_MS;
  const states = new Map<KeyEntry, string>();
  let open = [...accepted];
  while (open.length > 0 && performance.now() < deadline) {
    await forEach(open, async (entry) => {
      const reply = await readInvestment(subject, entry);
      states.set(entry, (reply.body as Investment | undefined)?.state ?? `status ${reply.status}`);
    });
    open = open.filter((entry) => states.get(entry) === 'accepted');
    if (open.length > 0) await pause(STALE_MS);
  }
  if (open.length > 0) problems.push(`${open.length} accepted investments have no outcome`);
  await pause(STALE_MS);
  for (const [round, cap] of subject.caps) {
    const mine = accepted.filter((entry) => entry.round === round);
    const live = mine.filter((entry) => states.get(entry) === 'settled');
    const odd = mine.filter(
      (entry) => !['settled', 'declined', 'accepted'].includes(states.get(entry) ?? ''),
    );
    if (odd.length > 0) problems.push(`${round}: ${odd.length} read as ${states.get(odd[0] as KeyEntry)}`);
    if (new Set(live.map((entry) => entry.investor)).size !== live.length) {
      problems.push(`${round}: an investor has two live investments`);
    }
    const sum = live.reduce((total, entry) => total + entry.amount, 0);
    const { admitted, settled, investors } = await readTotals(subject, round);
    subject.log(
      `${round}: cap ${cap}, admitted ${admitted}, settled ${settled}, ${live.length} live of ${mine.length}`,
    );
    if (admitted !== sum)
      problems.push(`${round}: live investments add up to ${sum}, admitted is ${admitted}`);
    if (settled !== sum) problems.push(`${round}: live investments add up to ${sum}, settled is ${settled}`);
    if (investors !== live.length) problems.push(`${round}: ${live.length} live, investors is ${investors}`);
    if (!(admitted <= cap)) problems.push(`${round}: admitted ${admitted} of a cap of ${cap}`);
  }
  return problems;
}
