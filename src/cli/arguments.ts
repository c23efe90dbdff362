// The shape that all commands share: a spec from which arguments are parsed and the help text is written.

import { parseArgs } from 'node:util';
import { EXIT } from '../core/exit-codes.js';
import { nearest } from '../core/nearest.js';
import { err, ok, type Result } from '../core/result.js';
import { errorText, type Failure, fail } from './failure.js';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** What stands for the value in the help text: FILE, MINOR, … */
  readonly value?: string;
  readonly help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export interface CommandSpec<O extends OptionSpecs> {
  /** `round create`, as it is typed. */
  readonly name: string;
  /** Positional arguments, each required, as the help text shows them. */
  readonly positionals: readonly string[];
  readonly summary: string;
  readonly options: O;
  /** More lines at the end of the help text. */
  readonly notes?: string;
}

type OptionValues<O extends OptionSpecs> = {
  readonly [K in keyof O]: (O[K]['type'] extends 'boolean' ? boolean : string) | undefined;
};

export interface ParsedArguments<O extends OptionSpecs> {
  readonly values: OptionValues<O>;
  readonly positionals: readonly string[];
}

/** Options of every command that reads the configuration. */
export const CONFIG_OPTION = {
  config: { type: 'string', value: 'FILE', help: 'YAML configuration; OPENBELL_* variables go over it' },
} as const satisfies OptionSpecs;

/** The option of every command that reports. */
export const JSON_OPTION = {
  json: { type: 'boolean', help: 'print the result as JSON' },
} as const satisfies OptionSpecs;

const HELP_OPTION = {
  help: { type: 'boolean', short: 'h', help: 'show this text' },
} as const satisfies OptionSpecs;

/** A usage mistake in one line, with where to read more. */
export function usageFailure(command: string, message: string): Failure {
  const help = command === '' ? 'openbell --help' : `openbell ${command} --help`;
  return { message: `${message} (see "${help}")`, exitCode: EXIT.usage };
}

/**
 * The arguments of a command. Where the caller has nothing left to do (help was asked for, or the arguments are
 * wrong) the text has been printed, and the error is the exit code.
 */
export function readArguments<O extends OptionSpecs>(
  argv: readonly string[],
  spec: CommandSpec<O>,
): Result<ParsedArguments<O>, number> {
  const options: OptionSpecs = { ...spec.options, ...HELP_OPTION };
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    return err(fail(usageFailure(spec.name, parseMessage(error, Object.keys(options)))));
  }
  if (parsed.values['help'] === true) {
    process.stdout.write(helpText(spec));
    return err(EXIT.done);
  }
  const missing = spec.positionals[parsed.positionals.length];
  if (missing !== undefined) return err(fail(usageFailure(spec.name, `${spec.name} needs ${missing}`)));
  const surplus = parsed.positionals[spec.positionals.length];
  if (surplus !== undefined) return err(fail(usageFailure(spec.name, `unexpected argument ${surplus}`)));
  return ok({ values: parsed.values as OptionValues<O>, positionals: parsed.positionals });
}

function parseMessage(error: unknown, names: readonly string[]): string {
  const text = errorText(error).split('\n')[0] ?? '';
  const unknown = /^Unknown option '(-{1,2})([^']+)'/.exec(text);
  if (unknown === null) return text;
  const meant = nearest(unknown[2] ?? '', names);
  return `unknown option ${unknown[1]}${unknown[2]}${meant === null ? '' : `; did you mean --${meant}?`}`;
}

/** The help text of one command. */
function helpText<O extends OptionSpecs>(spec: CommandSpec<O>): string {
  const options = Object.entries<OptionSpec>({ ...spec.options, ...HELP_OPTION }).map(
    ([name, { short, value, help }]) => {
      const flag = `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
      return `  ${flag.padEnd(26)} ${help}`;
    },
  );
  const usage = ['openbell', spec.name, '[options]', ...spec.positionals].join(' ');
  const notes = spec.notes === undefined ? '' : `\n${spec.notes.trim()}\n`;
  return `${spec.summary}\n\nusage: ${usage}\n\n${options.join('\n')}\n${notes}`;
}
