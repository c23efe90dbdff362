#!/usr/bin/env node
// The command line: finds the command that the first word names, loads only that one, and turns what it
// returns into the exit code. Codes are those of core/exit-codes.ts.

import { readFileSync } from 'node:fs';
import { EXIT } from '../core/exit-codes.js';
import { nearest } from '../core/nearest.js';
import { usageFailure } from './arguments.js';
import { errorText, fail, oneLine } from './failure.js';

type Command = (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  up: {
    summary: 'edge and ledger with a demo round: nothing else is needed',
    load: async () => (await import('./up.js')).upCommand,
  },
  edge: {
    summary: 'the node that admits investments',
    load: async () => (await import('./edge.js')).edgeCommand,
  },
  ledger: {
    summary: 'the process that settles them',
    load: async () => (await import('./ledger.js')).ledgerCommand,
  },
  round: {
    summary: 'create, list, show, open, pause, resume, close, amend',
    load: async () => (await import('./round.js')).roundCommand,
  },
  investors: {
    summary: 'import balances and eligibility from a file',
    load: async () => (await import('./investors.js')).investorsCommand,
  },
  token: {
    summary: 'a token signed with the local development secret',
    load: async () => (await import('./token.js')).tokenCommand,
  },
  rush: {
    summary: 'load, then a check of every verdict it saw',
    load: async () => (await import('./rush.js')).rushCommand,
  },
  audit: {
    summary: 'compare journal, queue, ledger and watermark',
    load: async () => (await import('./audit.js')).auditCommand,
  },
  replay: {
    summary: 'publish again what the ledger has not confirmed',
    load: async () => (await import('./replay.js')).replayCommand,
  },
  journal: {
    summary: 'verify or dump the journal, offline',
    load: async () => (await import('./journal.js')).journalCommand,
  },
  migrate: {
    summary: 'bring the Cassandra keyspace to this version',
    load: async () => (await import('./migrate.js')).migrateCommand,
  },
  config: {
    summary: 'print the configuration, secrets hidden',
    load: async () => (await import('./config.js')).configCommand,
  },
  doctor: {
    summary: 'what is wrong with this host, and what to do',
    load: async () => (await import('./doctor.js')).doctorCommand,
  },
};

function help(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return `openbell admits investments into a capped round, first come first served.

usage: openbell <command> [options]

${lines.join('\n')}

  openbell <command> --help   what a command takes
  openbell --version

Configuration: --config FILE (YAML), and OPENBELL_* variables over it.
Exit codes: 0 done, 1 a check failed, 64 usage, 69 a service is unreachable, 70 internal, 75 try again, 78 config.
`;
}

/** The version in package.json, which stands three folders above the compiled file. */
function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) return fail(usageFailure('', 'a command is needed'));
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    process.stdout.write(help());
    return EXIT.done;
  }
  if (first === '--version' || first === '-v') {
    process.stdout.write(`${version()}\n`);
    return EXIT.done;
  }
  if (first === 'help') return main([...rest, '--help']);
  const entry = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  if (entry === undefined) {
    const meant = nearest(first, Object.keys(COMMANDS));
    const hint = meant === null ? '' : `; did you mean ${meant}?`;
    const what = first.startsWith('-') ? 'unknown option' : 'unknown command';
    return fail(usageFailure('', `${what} ${first}${hint}`));
  }
  const command = await entry.load();
  return command(rest, process.env);
}

/** One line for what nobody caught: what it says and where it was thrown. */
function internal(error: unknown): never {
  const where =
    error instanceof Error ? /\(?((?:file|node):[^\s)]+)\)?/.exec(error.stack ?? '')?.[1] : undefined;
  const place = where === undefined ? '' : ` (at ${where})`;
  process.stderr.write(`openbell: internal error: ${oneLine(errorText(error))}${place}\n`);
  process.exit(EXIT.internal);
}

process.on('uncaughtException', internal);
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read our output has seen enough, as in `openbell round list | head`.
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  internal(error);
});

main(process.argv.slice(2)).then((code) => process.exit(code), internal);
