// The log of answers as NDJSON, one line per attempt, for whoever wants to look into a run.

import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type AnswerLog, STATE, STATE_NAMES } from './answer-log.js';
import { investorName, type Plan } from './plan.js';

const LINES_PER_CHUNK = 1_000;

function line(plan: Plan, log: AnswerLog, attempt: number, startMs: number): string {
  const state = log.state(attempt);
  const sent = {
    attempt,
    investor: investorName(plan.investor(attempt)),
    key: plan.key(attempt),
    amount: plan.amount(attempt),
    dueMs: log.dueMs(attempt) - startMs,
    state: STATE_NAMES[state],
    retries: log.retries(attempt),
  };
  if (state !== STATE.answered) return `${JSON.stringify(sent)}\n`;
  const { status, code, id, remaining, replayed } = log.answer(attempt);
  const answer = {
    transport: log.transport(attempt),
    status,
    code,
    id,
    remaining: Number.isNaN(remaining) ? undefined : remaining,
    replayed,
    latencyMs: log.answeredMs(attempt) - log.dueMs(attempt),
  };
  return `${JSON.stringify({ ...sent, ...answer })}\n`;
}

function* chunks(plan: Plan, log: AnswerLog, startMs: number): Generator<string> {
  for (let first = 0; first < log.size; first += LINES_PER_CHUNK) {
    let text = '';
    const last = Math.min(log.size, first + LINES_PER_CHUNK);
    for (let attempt = first; attempt < last; attempt++) text += line(plan, log, attempt, startMs);
    yield text;
  }
}

/** Writes the whole log; rejects if the file cannot be written. */
export async function writeAnswers(file: string, plan: Plan, log: AnswerLog, startMs: number): Promise<void> {
  await pipeline(Readable.from(chunks(plan, log, startMs)), createWriteStream(file));
}
