// What `openbell doctor` checks of the configuration and of what should be listening.

import { existsSync, statSync } from 'node:fs';
import { request } from 'undici';
import type { Config } from '../core/config.js';
import { configConflicts } from '../core/config-conflicts.js';
import { bad, doubtful, type Finding, good } from './doctor-finding.js';
import { errorText } from './failure.js';
import { portInUse } from './ports.js';
import { secretFile } from './secret.js';

const PROBE_TIMEOUT_MS = 3_000;
/** Metrics are the longest. */
const PROBE_CHARS_MAX = 262_144;
const OTHERS_MAY_READ = 0o077;

/** The parts of the configuration that are right by themselves but cannot work here. */
export function configFindings(config: Config): Finding[] {
  const unsupported = configConflicts(config);
  const findings = unsupported.map((problem) => bad('config', problem.message, `unset ${problem.name}`));
  const fromOutside = Object.values(config.sources).filter((source) => source !== 'default').length;
  if (findings.length === 0) findings.push(good('config', `valid, ${fromOutside} settings are not defaults`));
  return [...findings, secretFinding(config)];
}

function secretFinding(config: Config): Finding {
  const { jwksFile, jwtSecret, dataDir } = config;
  if (jwksFile !== undefined) {
    if (existsSync(jwksFile)) return good('tokens', `checked against ${jwksFile}`);
    return bad(
      'tokens',
      `${jwksFile} is not there`,
      'set OPENBELL_JWKS_FILE to the JWKS of your identity provider',
    );
  }
  if (jwtSecret !== undefined) return good('tokens', 'checked against OPENBELL_JWT_SECRET');
  const file = secretFile(dataDir);
  if (!existsSync(file)) {
    return doubtful(
      'tokens',
      'there is no secret yet',
      'set OPENBELL_JWT_SECRET or OPENBELL_JWKS_FILE, or run "openbell up", which makes one',
    );
  }
  const mode = statSync(file).mode & 0o777;
  if ((mode & OTHERS_MAY_READ) === 0)
    return good('tokens', `checked against ${file}, mode 0${mode.toString(8)}`);
  return bad(
    'tokens',
    `${file} has mode 0${mode.toString(8)}: others can read it and sign tokens`,
    `chmod 600 ${file}`,
  );
}

/** Ports that are free or in our own use, and services that are ready. */
export async function serviceFindings(config: Config): Promise<Finding[]> {
  const { host, port, adminHost, adminPort, ledgerPort, adminUrl, ledgerUrl } = config;
  const publicHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  // One after the other: while a port is tried, whoever asks there would be told something wrong.
  return [
    await reachable('edge', adminUrl, config.sources.adminUrl !== 'default'),
    await reachable('ledger', ledgerUrl, config.sources.ledgerUrl !== 'default'),
    ...(await quarantineFinding(ledgerUrl)),
    await portFinding('public port', host, port, `http://${publicHost}:${port}/v1/rounds`, 'OPENBELL_PORT'),
    await portFinding('admin port', adminHost, adminPort, `${adminUrl}/healthz`, 'OPENBELL_ADMIN_PORT'),
    await portFinding('ledger port', adminHost, ledgerPort, `${ledgerUrl}/healthz`, 'OPENBELL_LEDGER_PORT'),
  ];
}

interface Probe {
  readonly status: number;
  readonly text: string;
}

/** The answer, or why there is none. */
async function probe(url: string): Promise<Probe | string> {
  try {
    const timeouts = { headersTimeout: PROBE_TIMEOUT_MS, bodyTimeout: PROBE_TIMEOUT_MS };
    const answer = await request(url, { ...timeouts, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return { status: answer.statusCode, text: (await answer.body.text()).slice(0, PROBE_CHARS_MAX) };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? errorText(error);
  }
}

async function portFinding(
  name: string,
  host: string,
  port: number,
  url: string,
  variable: string,
): Promise<Finding> {
  const problem = await portInUse(host, port);
  if (problem === null) return good(name, `${port} is free`);
  const answer = await probe(url);
  if (typeof answer !== 'string' && answer.status === 200 && isOurs(answer.text)) {
    return good(name, `${port} is in use by openbell`);
  }
  return bad(name, `${problem} by something that is not openbell`, `free it, or set ${variable}`);
}

/** An answer that openbell gives: of /healthz or of /v1/rounds. */
function isOurs(text: string): boolean {
  return text.includes('"alive"') || text.includes('"rounds"');
}

async function reachable(service: 'edge' | 'ledger', baseUrl: string, isExpected: boolean): Promise<Finding> {
  const answer = await probe(`${baseUrl}/readyz`);
  if (typeof answer === 'string') {
    const detail = `not reachable at ${baseUrl} (${answer})`;
    const fix = `start it with "openbell up" or "openbell ${service}"`;
    return isExpected ? bad(service, detail, fix) : doubtful(service, detail, fix);
  }
  if (answer.status === 200) return good(service, `ready at ${baseUrl}`);
  return bad(
    service,
    `not ready at ${baseUrl}: ${answer.text.slice(0, 2_000)}`,
    `see the log of the ${service}`,
  );
}

/** What the ledger has died over and tries no more; nothing while it does not tell. */
async function quarantineFinding(ledgerUrl: string): Promise<Finding[]> {
  const answer = await probe(`${ledgerUrl}/metrics`);
  if (typeof answer === 'string') return [];
  const count = /^openbell_ledger_quarantined_investments (\d+)$/m.exec(answer.text)?.[1];
  if (count === undefined || count === '0') return [];
  const detail = `the ledger has died over ${count} investments and tries them no more`;
  const fix = '"openbell audit" names them; mend the cause, then "openbell replay --quarantined"';
  return [doubtful('quarantine', detail, fix)];
}
