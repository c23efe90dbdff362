// Runs the WebSocket generator once and reads its report.

import { fileURLToPath } from 'node:url';
import { runGenerator } from './generator-process.js';
import type { RequestFileOptions } from './request-file.js';

export interface GatewayOptions {
  readonly port: number;
  readonly round: string;
  readonly connections: number;
  /** Messages without a verdict on each connection. */
  readonly inFlight: number;
  /** More than can be answered in the time; each is sent once at most. */
  readonly messages: number;
  readonly seconds: number;
  readonly request: RequestFileOptions;
}

export interface GatewayReport {
  /** Verdicts of 201 within the time, and until the last message was answered. */
  readonly inTime: number;
  readonly created: number;
  /** Verdicts that are no 201. */
  readonly refused: number;
  readonly sent: number;
  /** True when there were no more messages to send. */
  readonly ranOut: boolean;
  /** Connections that the node has closed. */
  readonly lost: number;
  readonly durationS: number;
  /** When that time was over, milliseconds since the epoch. */
  readonly endedAtMs: number;
  /** Seconds of the generator. */
  readonly cpuS: number;
}

const PREPARE_S = 120;

export function runGateway(options: GatewayOptions): Promise<GatewayReport> {
  const file = fileURLToPath(new URL('gateway-generator.js', import.meta.url));
  return runGenerator<GatewayReport>(file, options, options.seconds + PREPARE_S);
}
