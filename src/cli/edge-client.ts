// The options and the client of every command that talks to the edge's admin port.

import { ok, type Result } from '../core/result.js';
import { AdminClient, adminClient } from './admin-client.js';
import { CONFIG_OPTION, JSON_OPTION, type OptionSpecs } from './arguments.js';
import type { Failure } from './failure.js';
import { commandConfig } from './load-config.js';

export const EDGE_OPTIONS = {
  'admin-url': { type: 'string', value: 'URL', help: "the edge's admin port (default OPENBELL_ADMIN_URL)" },
  ...CONFIG_OPTION,
  ...JSON_OPTION,
} as const satisfies OptionSpecs;

export interface EdgeOptionValues {
  readonly 'admin-url': string | undefined;
  readonly config: string | undefined;
}

/** A client of the edge that the options, the configuration or the defaults name. */
export function edgeClient(values: EdgeOptionValues, env: NodeJS.ProcessEnv): Result<AdminClient, Failure> {
  const config = commandConfig(values.config, withUrls({ OPENBELL_ADMIN_URL: values['admin-url'] }, env));
  return config.ok ? adminClient(config.value, 'edge') : config;
}

/** The same, for what anybody may read: it works without a secret. */
export function edgeReader(values: EdgeOptionValues, env: NodeJS.ProcessEnv): Result<AdminClient, Failure> {
  const config = commandConfig(values.config, withUrls({ OPENBELL_ADMIN_URL: values['admin-url'] }, env));
  return config.ok ? ok(new AdminClient('edge', config.value.adminUrl, null)) : config;
}

/** The environment with what the flags say over it, so that both are checked alike. */
export function withUrls(
  flags: Readonly<Record<string, string | undefined>>,
  env: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return { ...env, ...Object.fromEntries(given) };
}
