// From --config and the environment to a Config, or to one line that says what is wrong with them (exit 78).

import { readFileSync, statSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { type Config, type ConfigProblem, loadConfig, unsupportedInThisVersion } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { CONFIG_FILE_BYTES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { errorText, type Failure } from './failure.js';

/** A failure from problems of the configuration: all of them, in one line. */
function configFailure(problems: readonly ConfigProblem[]): Failure {
  return { message: problems.map((problem) => problem.message).join('; '), exitCode: EXIT.config };
}

/** The configuration that a command runs with. */
export function commandConfig(file: string | undefined, env: NodeJS.ProcessEnv): Result<Config, Failure> {
  const problems = configProblems(file, env);
  return problems.ok ? problems : err(configFailure(problems.error));
}

/** The same for the processes: also refuses what this version does not have. */
export function serviceConfig(file: string | undefined, env: NodeJS.ProcessEnv): Result<Config, Failure> {
  const config = commandConfig(file, env);
  if (!config.ok) return config;
  const unsupported = unsupportedInThisVersion(config.value);
  return unsupported.length === 0 ? config : err(configFailure(unsupported));
}

/** The configuration, or every problem in it, for those that report them one by one. */
export function configProblems(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): Result<Config, ConfigProblem[]> {
  let yamlText: string | undefined;
  if (file !== undefined) {
    const read = readConfigFile(file);
    if (!read.ok) return err([read.error]);
    yamlText = read.value;
  }
  return loadConfig({ yamlText, yamlName: file, env, cores: availableParallelism(), hostName: hostname() });
}

function readConfigFile(file: string): Result<string, ConfigProblem> {
  try {
    if (statSync(file).size > CONFIG_FILE_BYTES_MAX) {
      return err({ name: file, message: `${file} is too large for a configuration file` });
    }
    return ok(readFileSync(file, 'utf8'));
  } catch (error) {
    return err({ name: file, message: `the configuration file cannot be read: ${errorText(error)}` });
  }
}
