// What the NSQ bus is told: where the daemons are, how to speak to them, and how patient to be.

import {
  NSQ_HEARTBEAT_MS,
  NSQ_LOOKUP_MS,
  NSQ_MESSAGE_TIMEOUT_MS,
  NSQ_PUBLISH_TIMEOUT_MS,
  NSQ_RECONNECT_MAX_MS,
  NSQ_RECONNECT_MIN_MS,
  NSQ_RESPONSE_TIMEOUT_MS,
  NSQ_STABLE_MS,
} from '../../core/limits.js';

/** TLS to nsqd. The certificate of the server is always checked. */
export interface NsqTls {
  /** PEM. Undefined: the authorities that Node.js trusts. */
  readonly ca: Buffer | undefined;
  /** PEM, both or none: what this side shows. */
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** Milliseconds. */
export interface NsqTimings {
  readonly heartbeatMs: number;
  /** An nsqd that owes an answer for longer is hung up on. */
  readonly responseTimeoutMs: number;
  /** One publish, several nsqds included. */
  readonly publishTimeoutMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** A connection that held this long starts its backoff anew. */
  readonly stableMs: number;
  /** Asked of nsqd: when a message that nobody ended or touched comes again. */
  readonly messageTimeoutMs: number;
  readonly lookupMs: number;
}

export const NSQ_TIMINGS: NsqTimings = {
  heartbeatMs: NSQ_HEARTBEAT_MS,
  responseTimeoutMs: NSQ_RESPONSE_TIMEOUT_MS,
  publishTimeoutMs: NSQ_PUBLISH_TIMEOUT_MS,
  reconnectMinMs: NSQ_RECONNECT_MIN_MS,
  reconnectMaxMs: NSQ_RECONNECT_MAX_MS,
  stableMs: NSQ_STABLE_MS,
  messageTimeoutMs: NSQ_MESSAGE_TIMEOUT_MS,
  lookupMs: NSQ_LOOKUP_MS,
};

export interface NsqSettings {
  /** nsqds as `host:port` (TCP), in the order in which they are published to. */
  readonly nsqd: readonly string[];
  /** nsqlookupds as `host:port` (HTTP). Without any, exactly the nsqds above are used. */
  readonly nsqlookupd: readonly string[];
  /** Null: plain TCP. */
  readonly tls: NsqTls | null;
  readonly authSecret: string | null;
}

/** The parts of `host:port` or `[v6]:port`. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number.parseInt(address.slice(colon + 1), 10) };
}

/** What `splitAddress` takes. */
export function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
