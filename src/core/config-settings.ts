// The table of settings: the variable, the YAML key and the values of each. The rules of reading them are in config.ts.

import { z } from 'zod';
import {
  CONFIG_LIST_ITEMS_MAX,
  JOURNAL_SEGMENT_BYTES_MAX,
  JOURNAL_SEGMENT_BYTES_MIN,
  LEASE_TTL_S_MAX,
  LEASE_TTL_S_MIN,
  WORKERS_MAX,
} from './limits.js';

export interface Setting {
  readonly variable: string;
  readonly yaml: string;
  readonly schema: z.ZodType;
  /** What a value looks like, to finish "… must be". */
  readonly expected: string;
  readonly kind: 'text' | 'integer' | 'list';
  readonly secret?: true;
}

export const VARIABLE_PREFIX = 'OPENBELL_';
const SECRET_BYTES_MIN = 32;
const SEGMENT_ALIGNMENT_BYTES = 4096;

const textSchema = z.string().min(1).max(4096);
const hostSchema = z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/);
const addressSchema = z.string().regex(/^[A-Za-z0-9._-]{1,253}:\d{1,5}$|^\[[0-9A-Fa-f:.]+\]:\d{1,5}$/);
const listOf = (schema: z.ZodType): z.ZodType => z.array(schema).max(CONFIG_LIST_ITEMS_MAX);
const integer = (low: number, high: number): z.ZodType => z.int().min(low).max(high);
const oneOf = (...names: [string, ...string[]]): z.ZodType => z.enum(names);
const nodeSchema = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
const clusterSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/);
const urlSchema = z.string().refine(isBaseUrl);
const originSchema = z.string().refine((text) => parseUrl(text)?.origin === text);
const secretSchema = z.string().refine((text) => Buffer.byteLength(text, 'utf8') >= SECRET_BYTES_MIN);
const segmentSchema = z
  .int()
  .min(JOURNAL_SEGMENT_BYTES_MIN)
  .max(JOURNAL_SEGMENT_BYTES_MAX)
  .multipleOf(SEGMENT_ALIGNMENT_BYTES);

const RATE_PER_S_MAX = 1_000_000;
const keyspaceSchema = z.string().regex(/^[a-z][a-z0-9_]{0,47}$/);
const A_PORT = 'a port number from 0 to 65535';
const A_RATE = `a whole number from 0 (no limit) to ${RATE_PER_S_MAX}`;
const ADDRESSES = `at most ${CONFIG_LIST_ITEMS_MAX} addresses such as 10.0.0.5:4150, separated by commas`;
const A_PEM_FILE = 'the path of a PEM file';
const A_URL = 'a base URL such as http://127.0.0.1:8081, without path or credentials';

function setting(suffix: string, schema: z.ZodType, kind: Setting['kind'], expected: string): Setting {
  const yaml = suffix.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { variable: VARIABLE_PREFIX + suffix, yaml, schema, kind, expected };
}

/** Keeps the names of the keys, so that a setting that is read and not listed does not compile. */
const table = <K extends string>(settings: Readonly<Record<K, Setting>>): Readonly<Record<K, Setting>> =>
  settings;

/** Every setting there is. The YAML key is the variable without its prefix, in camelCase. */
export const SETTINGS = table({
  dataDir: setting('DATA_DIR', textSchema, 'text', 'the path of a directory'),
  host: setting('HOST', hostSchema, 'text', 'a host name or an address such as 0.0.0.0'),
  port: setting('PORT', integer(0, 65_535), 'integer', A_PORT),
  adminHost: setting('ADMIN_HOST', hostSchema, 'text', 'a host name or an address such as 127.0.0.1'),
  adminPort: setting('ADMIN_PORT', integer(0, 65_535), 'integer', A_PORT),
  ledgerPort: setting('LEDGER_PORT', integer(0, 65_535), 'integer', A_PORT),
  jwtSecret: {
    ...setting(
      'JWT_SECRET',
      secretSchema,
      'text',
      `at least ${SECRET_BYTES_MIN} bytes long, for example from "openssl rand -hex 32"`,
    ),
    secret: true,
  },
  jwksFile: setting('JWKS_FILE', textSchema, 'text', 'the path of a JWKS file'),
  jwtAudience: setting('JWT_AUDIENCE', textSchema, 'text', 'the audience that tokens must name'),
  jwtIssuer: setting('JWT_ISSUER', textSchema, 'text', 'the issuer that tokens must name'),
  investorRatePerS: setting('INVESTOR_RATE', integer(0, RATE_PER_S_MAX), 'integer', A_RATE),
  investorBurst: setting(
    'INVESTOR_BURST',
    integer(1, RATE_PER_S_MAX),
    'integer',
    `a whole number from 1 to ${RATE_PER_S_MAX}`,
  ),
  workers: setting('WORKERS', integer(1, WORKERS_MAX), 'integer', `a whole number from 1 to ${WORKERS_MAX}`),
  ack: setting('ACK', oneOf('journal', 'replicated'), 'text', '"journal" or "replicated"'),
  nsqd: setting('NSQD', listOf(addressSchema), 'list', ADDRESSES),
  nsqlookupd: setting('NSQLOOKUPD', listOf(addressSchema), 'list', ADDRESSES),
  nsqdHttp: setting(
    'NSQD_HTTP',
    listOf(urlSchema),
    'list',
    `at most ${CONFIG_LIST_ITEMS_MAX} base URLs such as http://10.0.0.5:4151, separated by commas`,
  ),
  nsqTlsCa: setting('NSQ_TLS_CA', textSchema, 'text', A_PEM_FILE),
  nsqTlsCert: setting('NSQ_TLS_CERT', textSchema, 'text', A_PEM_FILE),
  nsqTlsKey: setting('NSQ_TLS_KEY', textSchema, 'text', A_PEM_FILE),
  nsqAuthSecret: {
    ...setting('NSQ_AUTH_SECRET', textSchema, 'text', 'the secret that nsqd asks for'),
    secret: true,
  },
  etcd: setting('ETCD', listOf(addressSchema), 'list', ADDRESSES),
  etcdTlsCa: setting('ETCD_TLS_CA', textSchema, 'text', A_PEM_FILE),
  etcdTlsCert: setting('ETCD_TLS_CERT', textSchema, 'text', A_PEM_FILE),
  etcdTlsKey: setting('ETCD_TLS_KEY', textSchema, 'text', A_PEM_FILE),
  etcdUsername: setting('ETCD_USERNAME', textSchema, 'text', 'the name of a user of etcd'),
  etcdPassword: {
    ...setting('ETCD_PASSWORD', textSchema, 'text', "that user's password"),
    secret: true,
  },
  leaseTtlS: setting(
    'LEASE_TTL',
    integer(LEASE_TTL_S_MIN, LEASE_TTL_S_MAX),
    'integer',
    `a whole number of seconds from ${LEASE_TTL_S_MIN} to ${LEASE_TTL_S_MAX}`,
  ),
  node: setting('NODE', nodeSchema, 'text', 'a name of up to 64 characters of A-Z a-z 0-9 . _ -'),
  cluster: setting('CLUSTER', clusterSchema, 'text', 'a name of up to 40 characters of a-z 0-9 -'),
  cassandra: setting('CASSANDRA', listOf(addressSchema), 'list', ADDRESSES),
  cassandraKeyspace: setting(
    'CASSANDRA_KEYSPACE',
    keyspaceSchema,
    'text',
    'a keyspace of a-z, 0-9 and underscores, at most 48 characters',
  ),
  cassandraDatacenter: setting(
    'CASSANDRA_DATACENTER',
    textSchema,
    'text',
    'the name of the local data centre',
  ),
  cassandraTlsCa: setting('CASSANDRA_TLS_CA', textSchema, 'text', A_PEM_FILE),
  cassandraTlsCert: setting('CASSANDRA_TLS_CERT', textSchema, 'text', A_PEM_FILE),
  cassandraTlsKey: setting('CASSANDRA_TLS_KEY', textSchema, 'text', A_PEM_FILE),
  cassandraUsername: setting('CASSANDRA_USERNAME', textSchema, 'text', 'the name of a role'),
  cassandraPassword: {
    ...setting('CASSANDRA_PASSWORD', textSchema, 'text', 'the password of that role'),
    secret: true,
  },
  ledgerStore: setting('LEDGER_STORE', oneOf('lmdb', 'cassandra'), 'text', '"lmdb" or "cassandra"'),
  ledgerRatePerS: setting('LEDGER_RATE', integer(0, RATE_PER_S_MAX), 'integer', A_RATE),
  origins: setting(
    'ORIGINS',
    listOf(originSchema),
    'list',
    'browser origins such as https://app.example.com, separated by commas',
  ),
  ledgerUrl: setting('LEDGER_URL', urlSchema, 'text', A_URL),
  adminUrl: setting('ADMIN_URL', urlSchema, 'text', A_URL),
  adminToken: {
    ...setting('ADMIN_TOKEN', textSchema, 'text', 'a token with scope openbell:admin'),
    secret: true,
  },
  logLevel: setting(
    'LOG_LEVEL',
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'text',
    '"trace", "debug", "info", "warn", "error", "fatal" or "silent"',
  ),
  journalSegmentBytes: setting(
    'JOURNAL_SEGMENT_BYTES',
    segmentSchema,
    'integer',
    `a multiple of ${SEGMENT_ALIGNMENT_BYTES} from ${JOURNAL_SEGMENT_BYTES_MIN} to ${JOURNAL_SEGMENT_BYTES_MAX}`,
  ),
});

export type ConfigKey = keyof typeof SETTINGS;

export const CONFIG_KEYS = Object.keys(SETTINGS) as readonly ConfigKey[];

/** The URL, or null where it is not one. */
export function parseUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** http(s)://host[:port] with nothing after it but a slash. */
function isBaseUrl(text: string): boolean {
  const url = parseUrl(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  return url.href === `${url.origin}/`;
}
