// Settings that are right by themselves and wrong together.

import type { Config, ConfigProblem } from './config.js';
import { variableOf } from './config.js';

/** Settings that mean nothing without each other. */
const PAIRS = [
  ['cassandraTlsCert', 'cassandraTlsKey'],
  ['cassandraUsername', 'cassandraPassword'],
] as const;

/** What is configured and cannot work: settings that need one another. */
export function configConflicts(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (config.ack === 'replicated' && config.cassandra.length === 0) {
    const name = variableOf('ack');
    problems.push({
      name,
      message: `${name}=replicated needs ${variableOf('cassandra')}: set it, or use journal`,
    });
  }
  if (config.ledgerStore === 'cassandra' && config.cassandra.length === 0) {
    const name = variableOf('ledgerStore');
    problems.push({
      name,
      message: `${name}=cassandra needs ${variableOf('cassandra')}: set it, or use lmdb`,
    });
  }
  for (const [one, other] of PAIRS) {
    if ((config[one] === undefined) === (config[other] === undefined)) continue;
    const [missing, name] = config[one] === undefined ? [one, other] : [other, one];
    problems.push({
      name: variableOf(name),
      message: `${variableOf(name)} is set without ${variableOf(missing)}: set both or none`,
    });
  }
  return problems;
}
