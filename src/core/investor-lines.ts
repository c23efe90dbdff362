// One investor as a line of CSV (`investor,balance,currency,eligible`) or NDJSON, read the same way by the import
// command and by both admin ports, so that a file that one accepts is accepted by all.

import { isInvestorId } from './investor.js';
import { BAD_LINES_REPORTED_MAX, INVESTOR_LINE_CHARS_MAX, INVESTOR_LINES_MAX } from './limits.js';
import { isBalance, isCurrency } from './money.js';
import { err, ok, type Result } from './result.js';
import { wholeNumber } from './whole-number.js';

export interface InvestorLine {
  readonly investor: string;
  /** Minor units, zero or more. */
  readonly balance: number;
  readonly currency: string;
  readonly eligible: boolean;
}

export type InvestorLineFormat = 'csv' | 'ndjson';

export interface BadLine {
  /** Counted from 1, header and empty lines included, as an editor counts them. */
  readonly line: number;
  /** Names the field and the fix. */
  readonly problem: string;
}

export interface BadBody {
  readonly badLineCount: number;
  /** The first of them. */
  readonly badLines: readonly BadLine[];
  /** The whole body is wrong, not a line of it. */
  readonly problem?: string;
  /** It has more lines than one request may have. */
  readonly tooLong?: true;
}

/** The content types of a bulk request. */
export const INVESTOR_CONTENT_TYPES: readonly string[] = ['text/csv', 'application/x-ndjson'];

const HEADER = 'investor,balance,currency,eligible';
const MEMBERS = ['investor', 'balance', 'currency', 'eligible'] as const;

/** True for the optional first line of a CSV file. */
export function isInvestorHeader(line: string): boolean {
  return stripBom(line).trim().toLowerCase() === HEADER;
}

/** Reads one line, without its line end (a carriage return at the end is let through). */
export function parseInvestorLine(format: InvestorLineFormat, line: string): Result<InvestorLine, string> {
  if (line.length > INVESTOR_LINE_CHARS_MAX) return err(`longer than ${INVESTOR_LINE_CHARS_MAX} characters`);
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  return format === 'csv' ? parseCsvLine(text) : parseJsonLine(text);
}

/** All lines of a body, or all that is wrong with it: nothing in between. Empty lines are skipped. */
export function parseInvestorBody(
  contentType: string,
  body: string,
): Result<readonly InvestorLine[], BadBody> {
  const format = contentType === 'text/csv' ? 'csv' : 'ndjson';
  const lines: InvestorLine[] = [];
  const badLines: BadLine[] = [];
  const lineOf = new Map<string, number>();
  let badLineCount = 0;
  let number = 0;
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\n', at);
    let line = body.slice(at, end < 0 ? body.length : end);
    at = end < 0 ? body.length : end + 1;
    number++;
    if (number === 1) {
      line = stripBom(line);
      if (format === 'csv' && isInvestorHeader(line)) continue;
    }
    if (line === '' || line === '\r') continue;
    const parsed = parseInvestorLine(format, line);
    const problem = parsed.ok ? earlierLine(lineOf, parsed.value.investor, number) : parsed.error;
    if (parsed.ok && problem === null) {
      lines.push(parsed.value);
      if (lines.length > INVESTOR_LINES_MAX) {
        return err({
          badLineCount,
          badLines,
          tooLong: true,
          problem: `more than ${INVESTOR_LINES_MAX} lines: send it in parts`,
        });
      }
    } else {
      badLineCount++;
      if (badLines.length < BAD_LINES_REPORTED_MAX) badLines.push({ line: number, problem: problem ?? '' });
    }
  }
  if (badLineCount > 0) return err({ badLineCount, badLines });
  if (lines.length === 0) return err({ badLineCount, badLines, problem: 'there is no line in it' });
  return ok(lines);
}

/** Why an investor cannot be on this line: it would be a guess which of the two lines is meant. */
function earlierLine(lineOf: Map<string, number>, investor: string, line: number): string | null {
  const earlier = lineOf.get(investor);
  if (earlier !== undefined) return `investor ${investor} is on line ${earlier} already`;
  lineOf.set(investor, line);
  return null;
}

const BOM = '\ufeff';

const stripBom = (line: string): string => (line.startsWith(BOM) ? line.slice(1) : line);

function parseCsvLine(line: string): Result<InvestorLine, string> {
  const fields = line.includes('"') ? quotedFields(line) : line.split(',');
  if (fields === null) return err('a quoted field that does not end at a comma');
  if (fields.length !== MEMBERS.length) {
    return err(`${fields.length} fields where there must be 4: ${HEADER}`);
  }
  const [investor, balance, currency, eligible] = fields as [string, string, string, string];
  return check(investor, wholeNumber(balance), currency, flag(eligible));
}

/** RFC 4180: a field in double quotes, two of which stand for one. Null when it is not well formed. */
function quotedFields(line: string): string[] | null {
  const fields: string[] = [];
  for (let at = 0; at <= line.length; ) {
    if (line[at] !== '"') {
      const end = line.indexOf(',', at);
      const field = line.slice(at, end < 0 ? line.length : end);
      if (field.includes('"')) return null;
      fields.push(field);
      at = end < 0 ? line.length + 1 : end + 1;
      continue;
    }
    let close = line.indexOf('"', at + 1);
    while (close >= 0 && line[close + 1] === '"') close = line.indexOf('"', close + 2);
    if (close < 0 || (close + 1 < line.length && line[close + 1] !== ',')) return null;
    fields.push(line.slice(at + 1, close).replaceAll('""', '"'));
    at = close + 2;
  }
  return fields;
}

function flag(text: string): boolean | null {
  if (text === 'true') return true;
  return text === 'false' ? false : null;
}

function parseJsonLine(line: string): Result<InvestorLine, string> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return err('not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return err('not a JSON object');
  const object = value as Record<string, unknown>;
  for (const name in object) {
    if (!MEMBERS.includes(name as never))
      return err(`unknown member ${JSON.stringify(name)}: only ${HEADER}`);
  }
  return check(object['investor'], object['balance'], object['currency'], object['eligible']);
}

function check(
  investor: unknown,
  balance: unknown,
  currency: unknown,
  eligible: unknown,
): Result<InvestorLine, string> {
  if (!isInvestorId(investor)) return err('investor must be 1 to 128 characters of visible ASCII');
  if (!isBalance(balance))
    return err('balance must be a whole number of minor units from 0 to 9007199254740991');
  if (!isCurrency(currency)) return err('currency must be an ISO 4217 code in capitals, such as GBP');
  if (typeof eligible !== 'boolean') return err('eligible must be true or false');
  return ok({ investor, balance, currency, eligible });
}
