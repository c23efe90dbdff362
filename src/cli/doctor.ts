// `openbell doctor`: what is wrong with this host, this configuration and these services, and what to do about it.

import { EXIT } from '../core/exit-codes.js';
import { CONFIG_OPTION, JSON_OPTION, readArguments } from './arguments.js';
import { cassandraFindings } from './doctor-cassandra.js';
import { diskFindings } from './doctor-disk.js';
import { etcdFindings } from './doctor-etcd.js';
import { bad, type Finding } from './doctor-finding.js';
import { clockFinding, hostFindings } from './doctor-host.js';
import { nsqFindings } from './doctor-nsq.js';
import { configFindings, serviceFindings } from './doctor-services.js';
import { configProblems } from './load-config.js';
import { printJson, printLine } from './output.js';

const SPEC = {
  name: 'doctor',
  positionals: [],
  summary: 'Check this host, its configuration and its services; exit 1 if something must be mended.',
  options: { ...CONFIG_OPTION, ...JSON_OPTION },
} as const;

export async function doctorCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const findings = [
    ...(await hostFindings()),
    ...(await configuredFindings(parsed.value.values.config, env)),
  ];
  if (parsed.value.values.json === true) printJson({ ok: !findings.some(isBad), findings });
  else for (const finding of findings) printFinding(finding);
  return findings.some(isBad) ? EXIT.checkFailed : EXIT.done;
}

const isBad = (finding: Finding): boolean => finding.level === 'fail';

async function configuredFindings(file: string | undefined, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const loaded = configProblems(file, env);
  if (!loaded.ok)
    return loaded.error.map(({ name, message }) => bad('config', message, `mend ${name}, then ask again`));
  const config = loaded.value;
  return [
    ...configFindings(config),
    clockFinding(config.dataDir, Date.now()),
    ...diskFindings(config.dataDir, config.journalSegmentBytes),
    ...(await nsqFindings(config)),
    ...(await etcdFindings(config)),
    ...(await cassandraFindings(config)),
    ...(await serviceFindings(config)),
  ];
}

function printFinding({ level, name, detail, fix }: Finding): void {
  printLine(
    `${level.padEnd(4)}  ${name.padEnd(14)}  ${detail}${fix === undefined ? '' : `\n${' '.repeat(22)}-> ${fix}`}`,
  );
}
