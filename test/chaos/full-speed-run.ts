// Random amounts at full speed against a small cap, HTTP and WebSocket mixed: it must sell out, neither over nor under.

import { loadConfig } from '../../src/core/config.js';
import { rushOptions } from '../../src/rush/options.js';
import type { RushReport } from '../../src/rush/report.js';
import { runRush } from '../../src/rush/run.js';
import {
  adminToken,
  createRound,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  TEST_JWT_SECRET,
} from '../harness/node-process.js';
import { freePorts } from '../harness/ports.js';

export interface FullSpeedOptions {
  readonly attempts: number;
  readonly connections: number;
  readonly investors: number;
  /** Minor units. */
  readonly cap: number;
  readonly seed: number;
  readonly dataDir: string;
  readonly workers: number;
}

export interface FullSpeedResult {
  readonly report: RushReport;
  /** Of `openbell audit`, run while the ledger drains. */
  readonly auditExit: number | null;
  readonly auditText: string;
}

const ROUND = 'small';
const TOKEN_TTL_S = 3_600;

/** Starts a node of its own, sells the round out and compares. */
export async function runFullSpeed(options: FullSpeedOptions): Promise<FullSpeedResult> {
  const [publicPort, adminPort, ledgerPort] = (await freePorts(3)) as [number, number, number];
  const env = {
    OPENBELL_ADMIN_PORT: `${adminPort}`,
    OPENBELL_LEDGER_PORT: `${ledgerPort}`,
    OPENBELL_WORKERS: `${options.workers}`,
  };
  const common = { dataDir: options.dataDir, env };
  const ledger = await startLedgerProcess({ ...common, ports: [ledgerPort] });
  try {
    const edge = await startEdgeProcess({ ...common, ports: [publicPort, adminPort] });
    try {
      await createRound(edge, { id: ROUND, cap: options.cap });
      const config = loadConfig({ env: { OPENBELL_PORT: `${publicPort}`, ...env }, cores: 1 });
      if (!config.ok) throw new Error(JSON.stringify(config.error));
      const rush = rushOptions(
        {
          round: ROUND,
          rate: '0',
          transport: 'mixed',
          attempts: `${options.attempts}`,
          connections: `${options.connections}`,
          investors: `${options.investors}`,
          seed: `${options.seed}`,
          duplicates: '2',
        },
        config.value,
      );
      if (!rush.ok) throw new Error(rush.error.join('; '));
      const expiresAtS = Math.floor(Date.now() / 1_000) + TOKEN_TTL_S;
      const report = await runRush(rush.value, {
        signing: { secret: TEST_JWT_SECRET, expiresAtS },
        adminToken: adminToken(),
        signal: new AbortController().signal,
        progress: () => undefined,
      });
      if (!report.ok) throw new Error(report.error.message);
      const audit = await runCommand(['audit'], common);
      return { report: report.value, auditExit: audit.code, auditText: audit.stdout + audit.stderr };
    } finally {
      await edge.stop();
    }
  } finally {
    await ledger.stop();
  }
}
