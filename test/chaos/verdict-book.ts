// Every verdict that a client of the chaos tests has seen, by key: what must be true of the node after any crash.

import { type Answer, describeAnswer, STICKY_CODES, sameVerdict } from '../../src/rush/answer.js';

export interface KeyEntry {
  /** Its place in the book. */
  readonly number: number;
  readonly key: string;
  readonly round: string;
  readonly investor: string;
  readonly amount: number;
  /** The first sticky verdict that was seen; undefined while the outcome is unknown. */
  verdict: Answer | undefined;
  /** Verdicts that were not marked as replayed: at most one, which need not be the first to arrive. */
  decided: number;
}

export class VerdictBook {
  readonly entries: KeyEntry[] = [];
  /** Keys with two verdicts, described: there must be none. */
  readonly contradictions: string[] = [];
  /** Answers that a correct client should never get. */
  readonly surprises: string[] = [];
  replays = 0;
  unknowns = 0;

  /** A new key; its outcome is unknown until a verdict comes. */
  open(round: string, investor: string, amount: number): KeyEntry {
    const number = this.entries.length;
    const entry: KeyEntry = {
      number,
      key: `c-${number.toString(36)}`,
      round,
      investor,
      amount,
      verdict: undefined,
      decided: 0,
    };
    this.entries.push(entry);
    return entry;
  }

  /** Takes an answer in. False if it leaves the outcome unknown, so that the key is to be asked again. */
  record(entry: KeyEntry, answer: Answer): boolean {
    if (answer.status === 0 || answer.status >= 500 || answer.status === 429) {
      this.unknowns++;
      return false;
    }
    if (!STICKY_CODES.has(answer.code)) {
      this.surprises.push(`key ${entry.key}: ${describeAnswer(answer)}`);
      return true;
    }
    if (answer.replayed) this.replays++;
    else if (++entry.decided > 1) this.contradictions.push(`key ${entry.key}: decided twice, not replayed`);
    if (entry.verdict === undefined) entry.verdict = answer;
    else if (!sameVerdict(entry.verdict, answer)) {
      this.contradictions.push(
        `key ${entry.key}: ${describeAnswer(entry.verdict)}, then ${describeAnswer(answer)}`,
      );
    }
    return true;
  }

  /** Entries with an accepted verdict. */
  accepted(): KeyEntry[] {
    return this.entries.filter((entry) => entry.verdict?.code === 'accepted');
  }
}
