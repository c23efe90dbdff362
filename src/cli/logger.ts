// Logs go to stderr: JSON lines for machines, short lines on a terminal. Tokens, secrets and balances never do.

import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from '../core/config.js';

const SECRET_MEMBERS = ['token', 'authorization', 'secret', 'jwtSecret', 'adminToken', 'balance'];
const NOT_SHOWN = new Set(['level', 'time', 'role', 'msg', 'pid']);

/**
 * A logger of one process. It writes synchronously: a node logs little, and the last line before an exit is the
 * one that matters most.
 * @param role `edge`, `ledger` or the name of a command; on every line
 * @param destination takes whole lines; stderr unless a test says otherwise
 */
export function createLogger(
  role: string,
  level: LogLevel,
  destination: DestinationStream = stderr(),
): Logger {
  return pino(
    {
      level,
      base: { role, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`]),
        censor: '(hidden)',
      },
    },
    destination,
  );
}

function stderr(): DestinationStream {
  return process.stderr.isTTY ? humanLines() : pino.destination({ dest: 2, sync: true });
}

/** `10:00:00.123 warn  edge: message  member=value` */
function humanLines(): DestinationStream {
  return {
    write(line: string): void {
      process.stderr.write(`${humanLine(line)}\n`);
    },
  };
}

/** One JSON log line as a person reads it. */
export function humanLine(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>;
  const members = Object.entries(entry)
    .filter(([name]) => !NOT_SHOWN.has(name))
    .map(([name, value]) => `  ${name}=${memberText(value)}`);
  const time = String(entry['time']).slice(11, 23);
  return `${time} ${String(entry['level']).padEnd(5)} ${entry['role']}: ${entry['msg'] ?? ''}${members.join('')}`;
}

function memberText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const { message } = value as { message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(value);
}
