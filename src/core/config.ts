// The configuration of every process: one table of settings, read from a YAML file with OPENBELL_* variables over it.
// A name that is not in the table, or a value that a setting cannot take, is a problem that names itself and the fix.

import { parseDocument } from 'yaml';
import {
  CONFIG_KEYS,
  type ConfigKey,
  parseUrl,
  SETTINGS,
  type Setting,
  VARIABLE_PREFIX,
} from './config-settings.js';
import type { AckLevel } from './epochs.js';
import { JOURNAL_SEGMENT_BYTES, LEASE_TTL_S, WORKERS_MAX } from './limits.js';
import { nearest } from './nearest.js';
import { err, ok, type Result } from './result.js';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type ConfigSource = 'default' | 'file' | 'env';

/** What a node is told; frozen. Undefined: not configured. */
export interface Config {
  readonly dataDir: string;
  /** The public port; port 0 takes any free one. */
  readonly host: string;
  readonly port: number;
  /** Where the edge's and the ledger's admin ports bind. */
  readonly adminHost: string;
  readonly adminPort: number;
  readonly ledgerPort: number;
  /** HS256 secret, at least 32 bytes. */
  readonly jwtSecret: string | undefined;
  readonly jwksFile: string | undefined;
  readonly jwtAudience: string | undefined;
  readonly jwtIssuer: string | undefined;
  /** Requests a second and at once of one investor; rate 0: no limit. */
  readonly investorRatePerS: number;
  readonly investorBurst: number;
  /** Admission shards, a thread each. */
  readonly workers: number;
  readonly ack: AckLevel;
  /** Outside engines as host:port; empty: the embedded part. */
  readonly nsqd: readonly string[];
  readonly nsqlookupd: readonly string[];
  /** Base URLs of the nsqds' HTTP ports, for their depth; empty: those that are known otherwise. */
  readonly nsqdHttp: readonly string[];
  /** PEM files; TLS to nsqd is on as soon as one of them is named. */
  readonly nsqTlsCa: string | undefined;
  readonly nsqTlsCert: string | undefined;
  readonly nsqTlsKey: string | undefined;
  readonly nsqAuthSecret: string | undefined;
  readonly etcd: readonly string[];
  readonly cassandra: readonly string[];
  /** PEM files. With an authority etcd is spoken to over TLS; certificate and key are shown when etcd asks. */
  readonly etcdTlsCa: string | undefined;
  readonly etcdTlsCert: string | undefined;
  readonly etcdTlsKey: string | undefined;
  readonly etcdUsername: string | undefined;
  readonly etcdPassword: string | undefined;
  /** Seconds after which the rounds of a node that is not heard of are free for another. */
  readonly leaseTtlS: number;
  /** This node's name, for those who look for the owner. */
  readonly node: string;
  /** What every key in etcd begins with. */
  readonly cluster: string;
  readonly cassandraKeyspace: string;
  /** The local data centre, as Cassandra calls it. */
  readonly cassandraDatacenter: string;
  /** Paths of PEM files; an authority or a certificate turns TLS on. */
  readonly cassandraTlsCa: string | undefined;
  readonly cassandraTlsCert: string | undefined;
  readonly cassandraTlsKey: string | undefined;
  readonly cassandraUsername: string | undefined;
  readonly cassandraPassword: string | undefined;
  /** Where the ledger keeps its books: in its data directory, or in Cassandra. */
  readonly ledgerStore: 'lmdb' | 'cassandra';
  /** Investments a second that the ledger takes; 0: no limit. */
  readonly ledgerRatePerS: number;
  /** Browser origins that may open the WebSocket. */
  readonly origins: readonly string[];
  /** Where commands and the edge find the admin ports. */
  readonly ledgerUrl: string;
  readonly adminUrl: string;
  /** A ready-made admin token for commands, where the local secret is not the one that the node checks. */
  readonly adminToken: string | undefined;
  readonly logLevel: LogLevel;
  readonly journalSegmentBytes: number;
  /** Where each value came from. */
  readonly sources: Readonly<Record<ConfigKey, ConfigSource>>;
}

export interface ConfigProblem {
  /** The variable or the YAML key, as it was written. */
  readonly name: string;
  /** One sentence that names it and says what to do. */
  readonly message: string;
}

export interface ConfigInput {
  readonly yamlText?: string | undefined;
  /** The file's name, for messages. */
  readonly yamlName?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Processor cores, from which the default of `workers` follows. */
  readonly cores: number;
  /** Of the machine: the default of `node`. */
  readonly hostName?: string | undefined;
}

/** The environment variable of a setting. */
export function variableOf(key: ConfigKey): string {
  return SETTINGS[key].variable;
}

/** A URL that reaches a server bound to `host` from this machine. */
function localUrl(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://127.0.0.1:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A machine's name as a node's name. */
function nodeName(hostName: string): string {
  const name = hostName.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64);
  return name === '' ? 'node' : name;
}

type Values = Partial<Record<ConfigKey, unknown>>;

/** The configuration that a YAML text and an environment give, or every problem in them. An empty variable is unset. */
export function loadConfig(input: ConfigInput): Result<Config, ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  const values: Values = {};
  const sources = Object.fromEntries(CONFIG_KEYS.map((key) => [key, 'default'])) as Record<
    ConfigKey,
    ConfigSource
  >;

  const take = (key: ConfigKey, name: string, value: unknown, source: ConfigSource): void => {
    const { schema, expected, secret } = SETTINGS[key];
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      problems.push({ name, message: `${name} must be ${expected}${secret ? '' : `, not ${shown(value)}`}` });
      return;
    }
    values[key] = parsed.data;
    sources[key] = source;
  };

  if (input.yamlText !== undefined) readYaml(input.yamlText, input.yamlName ?? 'config', take, problems);
  readEnv(input.env, take, problems);
  if (problems.length > 0) return err(problems);
  return ok(withDefaults(values, sources, input));
}

type Take = (key: ConfigKey, name: string, value: unknown, source: ConfigSource) => void;

function readYaml(text: string, file: string, take: Take, problems: ConfigProblem[]): void {
  const document = parseDocument(text, { prettyErrors: true });
  const broken = document.errors[0];
  if (broken !== undefined) {
    problems.push({ name: file, message: `${file} is not valid YAML: ${broken.message.split('\n')[0]}` });
    return;
  }
  const content: unknown = document.toJS();
  if (content === null) return;
  if (typeof content !== 'object' || Array.isArray(content)) {
    problems.push({ name: file, message: `${file} must be a YAML mapping such as "port: 8080"` });
    return;
  }
  const byName = new Map(CONFIG_KEYS.map((key) => [SETTINGS[key].yaml, key]));
  for (const [name, value] of Object.entries(content)) {
    const key = byName.get(name);
    if (key === undefined) problems.push(unknownName(name, `${name} in ${file}`, byName.keys()));
    else if (value !== null) take(key, `${name} in ${file}`, fromYaml(value, SETTINGS[key]), 'file');
  }
}

/** A list may be written as one string, and a text value that looks like a number is still text. */
function fromYaml(value: unknown, { kind }: Setting): unknown {
  if (kind === 'list' && typeof value === 'string') return splitList(value);
  if (kind === 'text' && typeof value === 'number') return String(value);
  return value;
}

function readEnv(env: ConfigInput['env'], take: Take, problems: ConfigProblem[]): void {
  const byName = new Map(CONFIG_KEYS.map((key) => [SETTINGS[key].variable, key]));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || text === undefined || text === '') continue;
    const key = byName.get(name);
    if (key === undefined) problems.push(unknownName(name, name, byName.keys()));
    else take(key, name, fromText(text, SETTINGS[key]), 'env');
  }
}

function fromText(text: string, { kind }: Setting): unknown {
  if (kind === 'list') return splitList(text);
  if (kind === 'integer' && /^\s*(0|[1-9]\d{0,14})\s*$/.test(text)) return JSON.parse(text);
  return text;
}

const splitList = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

function unknownName(name: string, place: string, known: Iterable<string>): ConfigProblem {
  const meant = nearest(name, known);
  const fix = meant === null ? '"openbell config" lists what there is' : `did you mean ${meant}?`;
  return { name, message: `${place} is not a setting: ${fix}` };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function withDefaults(
  values: Values,
  sources: Record<ConfigKey, ConfigSource>,
  { cores, hostName }: ConfigInput,
): Config {
  const given = values as Partial<Config>;
  const adminHost = given.adminHost ?? '127.0.0.1';
  const adminPort = given.adminPort ?? 8081;
  const ledgerPort = given.ledgerPort ?? 8082;
  const list = (items: readonly string[] | undefined): readonly string[] => Object.freeze([...(items ?? [])]);
  const config: Config = {
    dataDir: given.dataDir ?? './data',
    host: given.host ?? '0.0.0.0',
    port: given.port ?? 8080,
    adminHost,
    adminPort,
    ledgerPort,
    jwtSecret: given.jwtSecret,
    jwksFile: given.jwksFile,
    jwtAudience: given.jwtAudience,
    jwtIssuer: given.jwtIssuer,
    investorRatePerS: given.investorRatePerS ?? 10,
    investorBurst: given.investorBurst ?? 20,
    workers: given.workers ?? Math.min(WORKERS_MAX, Math.max(1, cores - 1)),
    ack: given.ack ?? 'journal',
    nsqd: list(given.nsqd),
    nsqlookupd: list(given.nsqlookupd),
    nsqdHttp: list(given.nsqdHttp?.map((url) => parseUrl(url)?.origin ?? url)),
    nsqTlsCa: given.nsqTlsCa,
    nsqTlsCert: given.nsqTlsCert,
    nsqTlsKey: given.nsqTlsKey,
    nsqAuthSecret: given.nsqAuthSecret,
    etcd: list(given.etcd),
    cassandra: list(given.cassandra),
    etcdTlsCa: given.etcdTlsCa,
    etcdTlsCert: given.etcdTlsCert,
    etcdTlsKey: given.etcdTlsKey,
    etcdUsername: given.etcdUsername,
    etcdPassword: given.etcdPassword,
    leaseTtlS: given.leaseTtlS ?? LEASE_TTL_S,
    node: given.node ?? nodeName(hostName ?? ''),
    cluster: given.cluster ?? 'openbell',
    cassandraKeyspace: given.cassandraKeyspace ?? 'openbell',
    cassandraDatacenter: given.cassandraDatacenter ?? 'datacenter1',
    cassandraTlsCa: given.cassandraTlsCa,
    cassandraTlsCert: given.cassandraTlsCert,
    cassandraTlsKey: given.cassandraTlsKey,
    cassandraUsername: given.cassandraUsername,
    cassandraPassword: given.cassandraPassword,
    ledgerStore: given.ledgerStore ?? 'lmdb',
    ledgerRatePerS: given.ledgerRatePerS ?? 60,
    origins: list(given.origins),
    ledgerUrl: parseUrl(given.ledgerUrl ?? '')?.origin ?? localUrl(adminHost, ledgerPort),
    adminUrl: parseUrl(given.adminUrl ?? '')?.origin ?? localUrl(adminHost, adminPort),
    adminToken: given.adminToken,
    logLevel: given.logLevel ?? 'info',
    journalSegmentBytes: given.journalSegmentBytes ?? JOURNAL_SEGMENT_BYTES,
    sources: Object.freeze({ ...sources }),
  };
  return Object.freeze(config);
}

export interface ConfigLine {
  readonly key: string;
  readonly variable: string;
  /** The value, `null` where nothing is configured, `(hidden)` for a secret. */
  readonly value: unknown;
  readonly source: ConfigSource;
}

/** Every setting as it stands, secrets hidden, with where its value came from. */
export function describeConfig(config: Config): ConfigLine[] {
  return CONFIG_KEYS.map((key) => {
    const { yaml, variable, secret } = SETTINGS[key];
    const value = config[key] ?? null;
    return {
      key: yaml,
      variable,
      value: secret && value !== null ? '(hidden)' : value,
      source: config.sources[key],
    };
  });
}
