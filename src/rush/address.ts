// Where a node listens, taken apart once from its base URL.

import { err, ok, type Result } from '../core/result.js';

export interface Address {
  readonly host: string;
  readonly port: number;
  /** Value of the Host header. */
  readonly authority: string;
  /** `http://host:port`, without a slash at the end. */
  readonly origin: string;
}

/** Takes an `http://host:port` apart; the raw sockets of this tool speak no TLS. */
export function parseAddress(url: string): Result<Address, string> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.protocol !== 'http:') return err(`${url} is not an http:// URL`);
  if (parsed.pathname !== '/') return err(`${url} must not have a path`);
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  const port = parsed.port === '' ? 80 : Number.parseInt(parsed.port, 10);
  return ok({ host, port, authority: parsed.host, origin: parsed.origin });
}
