// `openbell round …`: rounds through the edge's admin port. Money is in minor units, as everywhere.

import { EXIT } from '../core/exit-codes.js';
import { nearest } from '../core/nearest.js';
import { ROUND_ID_PATTERN } from '../core/round.js';
import type { AdminClient } from './admin-client.js';
import { type OptionSpecs, readArguments, usageFailure } from './arguments.js';
import { EDGE_OPTIONS, edgeClient, edgeReader } from './edge-client.js';
import { fail } from './failure.js';
import { printJson, printLine, printTable, programName } from './output.js';
import { amendBody, createBody, type DefinitionValues } from './round-options.js';

const DEFINITION_OPTIONS = {
  name: { type: 'string', value: 'TEXT', help: 'what people see' },
  cap: { type: 'string', value: 'MINOR', help: 'the most that the round takes, in minor units (pence)' },
  minimum: { type: 'string', value: 'MINOR', help: 'the least that one investment may be' },
  maximum: { type: 'string', value: 'MINOR', help: 'the most that one investment may be' },
  'opens-at': {
    type: 'string',
    value: 'TIME',
    help: 'RFC 3339, such as 2026-11-23T10:00:00Z; none: by hand',
  },
  'closes-at': { type: 'string', value: 'TIME', help: 'the same' },
} as const satisfies OptionSpecs;

const CREATE = {
  name: 'round create',
  positionals: ['ROUND'],
  summary: 'Create a round. It is scheduled until it is opened, by hand or by its time.',
  options: {
    ...DEFINITION_OPTIONS,
    currency: { type: 'string', value: 'CODE', help: 'ISO 4217 (default GBP)' },
    'unknown-balance': {
      type: 'string',
      value: 'POLICY',
      help: 'refuse (default) or allow investors without a balance',
    },
    open: { type: 'boolean', help: 'open it at once' },
    ...EDGE_OPTIONS,
  },
  notes:
    'Without --name it is called as its id; --minimum is 1 and --maximum the cap unless given. --cap is needed.',
} as const;

const AMEND = {
  name: 'round amend',
  positionals: ['ROUND'],
  summary: 'Change a round: its name, limits and times, and its cap upwards.',
  options: { ...DEFINITION_OPTIONS, ...EDGE_OPTIONS },
} as const;

const LIST = {
  name: 'round list',
  positionals: [],
  summary: 'List the rounds.',
  options: EDGE_OPTIONS,
} as const;
const SHOW = {
  name: 'round show',
  positionals: ['ROUND'],
  summary: 'Show one round.',
  options: EDGE_OPTIONS,
} as const;

const CHANGES: Readonly<Record<string, string>> = {
  open: 'Open a scheduled round.',
  pause: 'Pause an open round.',
  resume: 'Let a paused round go on.',
  close: 'Close a round for good: what is accepted still settles.',
};

const SUBCOMMANDS = ['create', 'list', 'show', ...Object.keys(CHANGES), 'amend'];

const HELP = `Rounds, through the edge's admin port.

usage: openbell round <${SUBCOMMANDS.join('|')}> [options]

  openbell round create crowd --cap 2000000000 --minimum 1000 --maximum 200000
  openbell round open crowd

  openbell round <subcommand> --help   what it takes
`;

const ADMIN_ROUNDS = '/admin/v1/rounds';
const JSON_TYPE = 'application/json';

export async function roundCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h') {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  if (name === undefined) return fail(usageFailure('round', `round needs one of ${SUBCOMMANDS.join(', ')}`));
  if (name === 'create') return create(rest, env);
  if (name === 'amend') return amend(rest, env);
  if (name === 'list') return list(rest, env);
  if (name === 'show') return show(rest, env);
  const summary = Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined;
  if (summary !== undefined) return change(name, summary, rest, env);
  const meant = nearest(name, SUBCOMMANDS);
  return fail(
    usageFailure('round', `unknown round command ${name}${meant === null ? '' : `; did you mean ${meant}?`}`),
  );
}

async function create(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, CREATE);
  if (!parsed.ok) return parsed.error;
  const { values } = parsed.value;
  const id = parsed.value.positionals[0]!;
  const body = createBody(id, {
    ...definitionValues(values),
    currency: values.currency,
    unknownBalance: values['unknown-balance'],
  });
  if (!body.ok) return fail(usageFailure('round create', body.error));
  const client = edgeClient(values, env);
  if (!client.ok) return fail(client.error);
  const data = JSON.stringify(body.value);
  const created = await client.value.call('POST', ADMIN_ROUNDS, { type: JSON_TYPE, data });
  if (!created.ok) return fail(created.error);
  if (values.open === true) return post(client.value, `${ADMIN_ROUNDS}/${id}/open`, id, values.json);
  return report(
    created.value,
    `round ${id} is created; open it with "${programName()} round open ${id}"`,
    values.json,
  );
}

async function amend(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, AMEND);
  if (!parsed.ok) return parsed.error;
  const { values } = parsed.value;
  const body = amendBody(definitionValues(values));
  if (!body.ok) return fail(usageFailure('round amend', body.error));
  const path = roundPath(parsed.value.positionals[0]!);
  if (path === null) return fail(badRoundId('round amend'));
  const client = edgeClient(values, env);
  if (!client.ok) return fail(client.error);
  const data = JSON.stringify(body.value);
  const amended = await client.value.call('PATCH', path, { type: JSON_TYPE, data });
  if (!amended.ok) return fail(amended.error);
  return report(amended.value, `round ${parsed.value.positionals[0]} is amended`, values.json);
}

async function list(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, LIST);
  if (!parsed.ok) return parsed.error;
  const client = edgeReader(parsed.value.values, env);
  if (!client.ok) return fail(client.error);
  const answer = await client.value.call('GET', ADMIN_ROUNDS);
  if (!answer.ok) return fail(answer.error);
  const { rounds } = answer.value as { rounds: Record<string, unknown>[] };
  if (parsed.value.values.json === true) printJson(answer.value);
  else if (rounds.length === 0) printLine('there are no rounds; make one with "openbell round create"');
  else {
    const columns = [
      'id',
      'state',
      'currency',
      'cap',
      'admitted',
      'remaining',
      'settled',
      'investors',
      'opensAt',
    ];
    printTable(
      columns.map((column) => column.toUpperCase()),
      rounds.map((round) => columns.map((column) => cell(round[column]))),
    );
  }
  return EXIT.done;
}

async function show(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SHOW);
  if (!parsed.ok) return parsed.error;
  const path = roundPath(parsed.value.positionals[0]!);
  if (path === null) return fail(badRoundId('round show'));
  const client = edgeReader(parsed.value.values, env);
  if (!client.ok) return fail(client.error);
  const answer = await client.value.call('GET', path);
  if (!answer.ok) return fail(answer.error);
  if (parsed.value.values.json === true) printJson(answer.value);
  else {
    const members = Object.entries(answer.value as Record<string, unknown>);
    for (const [name, value] of members) printLine(`${name.padEnd(16)} ${cell(value)}`);
  }
  return EXIT.done;
}

async function change(
  name: string,
  summary: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const spec = { name: `round ${name}`, positionals: ['ROUND'], summary, options: EDGE_OPTIONS };
  const parsed = readArguments(argv, spec);
  if (!parsed.ok) return parsed.error;
  const id = parsed.value.positionals[0]!;
  const path = roundPath(id);
  if (path === null) return fail(badRoundId(`round ${name}`));
  const client = edgeClient(parsed.value.values, env);
  if (!client.ok) return fail(client.error);
  return post(client.value, `${path}/${name}`, id, parsed.value.values.json);
}

async function post(
  client: AdminClient,
  path: string,
  id: string,
  json: boolean | undefined,
): Promise<number> {
  const changed = await client.call('POST', path);
  if (!changed.ok) return fail(changed.error);
  const { state } = changed.value as { state?: unknown };
  return report(changed.value, `round ${id} is ${String(state)}`, json);
}

function report(value: unknown, line: string, json: boolean | undefined): number {
  if (json === true) printJson(value);
  else printLine(line);
  return EXIT.done;
}

const roundPath = (id: string): string | null => (ROUND_ID_PATTERN.test(id) ? `${ADMIN_ROUNDS}/${id}` : null);

const badRoundId = (command: string) =>
  usageFailure(command, 'ROUND must be 1 to 40 characters of a-z, 0-9 and -');

function cell(value: unknown): string | number {
  if (value === null || value === undefined) return '-';
  return typeof value === 'number' ? value : String(value);
}

function definitionValues(values: Readonly<Record<string, string | boolean | undefined>>): DefinitionValues {
  const text = (name: string): string | undefined => values[name] as string | undefined;
  return {
    name: text('name'),
    cap: text('cap'),
    minimum: text('minimum'),
    maximum: text('maximum'),
    opensAt: text('opens-at'),
    closesAt: text('closes-at'),
  };
}
