// What `openbell up` says on stdout once everything runs.

import type { Config } from '../core/config.js';
import { programName } from './output.js';
import type { Demo } from './up-demo.js';

/** Short, and every line of it can be used as it is. */
export function welcomeText(config: Config, demo: Demo): string {
  const program = programName();
  const lines = [
    'openbell is up.',
    '',
    `  public   ${demo.publicUrl}   invest here; /openapi.json describes it`,
    `  admin    ${demo.adminUrl}   metrics, readiness, and a page to watch in a browser`,
    `  ledger   ${demo.ledgerUrl}   settles ${rate(config.ledgerRatePerS)}`,
    `  data     ${config.dataDir}`,
    '',
    ...invitation(demo, program),
    '',
    'Watch:',
    `  curl ${demo.publicUrl}/v1/rounds`,
    `  ${program} round list`,
    `Rush, and check every answer (${program} rush --help):`,
    `  ${program} rush --rate 500 --duration 10`,
    'Stop: Ctrl-C, or SIGTERM. What was accepted stays.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}

function invitation({ round, curl }: Demo, program: string): string[] {
  if (round === null) return ['Tokens come from OPENBELL_JWKS_FILE, so no demo round was made.'];
  if (curl === null) {
    const create = `${program} round create crowd --cap 2000000000 --minimum 1000 --maximum 200000 --open`;
    return [`Round ${round.id} is ${round.state}. Another one:`, `  ${create}`];
  }
  return [`Round ${round.id} is open. Invest £500 of pretended money:`, '', curl];
}

const rate = (perS: number): string => (perS === 0 ? 'as fast as it can' : `${perS} a second`);
