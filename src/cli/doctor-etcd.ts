// What `openbell doctor` checks of etcd: each endpoint, the cluster behind them, room and alarms, what this node may do
// there, and who owns the rounds and the books. Nothing is written.

import type { Config } from '../core/config.js';
import { CLI_ANSWER_BYTES_MAX, ETCD_CALL_MS } from '../core/limits.js';
import { BoundedHttp } from '../engines/bounded-http.js';
import {
  type CallOptions,
  type ClusterState,
  EtcdClient,
  type EtcdSettings,
  type MemberStatus,
} from '../engines/etcd/etcd-client.js';
import { etcdSettings } from '../engines/etcd/etcd-coordination.js';
import { EtcdKeys } from '../engines/etcd/etcd-keys.js';
import type { Entry } from '../engines/etcd/etcd-txn.js';
import type { Role } from '../engines/ownership.js';
import { clockDoubt } from './doctor-clock.js';
import { bad, doubtful, type Finding, good } from './doctor-finding.js';

/** Older ones have no keepalive that can be trusted behind a lost leader. */
const VERSION_MIN = [3, 4] as const;
/** With fewer members the loss of one is the loss of etcd. */
const MEMBERS_WANTED = 3;
/** Share of the quota from which on somebody should look. */
const ROOM_SHARE = 0.8;
/** Where etcd does not say: its own default. */
const QUOTA_BYTES = 2_147_483_648;
const MIB = 1_048_576;

/** Nothing where etcd is not configured. */
export async function etcdFindings(config: Config): Promise<Finding[]> {
  if (config.etcd.length === 0) return [];
  const settings = etcdSettings(config);
  if (!settings.ok)
    return [bad('etcd', settings.error, 'mend the setting, the path, or the rights on the file')];
  const members = await Promise.all(config.etcd.map((endpoint) => look(endpoint, settings.value)));
  const reached = members.filter((member) => typeof member.status !== 'string');
  const findings = members.flatMap((member) => memberFindings(member, reached.length > 0));
  if (reached.length === 0) return findings;
  const endpoints = reached.map(({ endpoint }) => endpoint);
  const client = new EtcdClient({ ...settings.value, endpoints });
  try {
    // Each endpoint once: who asks for a doctor does not want to wait.
    const once = { attempts: endpoints.length };
    const cluster = await client.cluster(once);
    return [
      ...findings,
      ...(cluster.ok ? clusterFindings(cluster.value, config.etcd.length) : [unreadable(cluster.error)]),
      ...(await keyFindings(client, new EtcdKeys(config.cluster), settings.value, once)),
    ];
  } finally {
    client.close();
  }
}

interface Member {
  readonly endpoint: string;
  /** A string: why it could not be asked. */
  readonly status: MemberStatus | string;
  readonly isRefused: boolean;
  readonly quotaBytes: number;
  readonly clockSkewMs: number;
}

async function look(endpoint: string, settings: EtcdSettings): Promise<Member> {
  const client = new EtcdClient({ ...settings, endpoints: [endpoint] });
  const http = new BoundedHttp(ETCD_CALL_MS, settings.tls);
  try {
    const status = await client.status({ attempts: 1 });
    if (!status.ok) {
      const isRefused = status.error.code === 'refused';
      return { endpoint, status: status.error.message, isRefused, quotaBytes: 0, clockSkewMs: Number.NaN };
    }
    const url = `${settings.tls === null ? 'http' : 'https'}://${endpoint}/metrics`;
    const metrics = await http.get(url, CLI_ANSWER_BYTES_MAX);
    const told = metrics.ok
      ? /^etcd_server_quota_backend_bytes ([\d.e+]+)$/m.exec(metrics.value.text)?.[1]
      : undefined;
    return {
      endpoint,
      status: status.value,
      isRefused: false,
      quotaBytes: told === undefined ? QUOTA_BYTES : (JSON.parse(told) as number),
      clockSkewMs: metrics.ok ? metrics.value.clockMs - Date.now() : Number.NaN,
    };
  } finally {
    client.close();
    await http.close();
  }
}

function memberFindings(
  { endpoint, status, isRefused, quotaBytes, clockSkewMs }: Member,
  othersAnswer: boolean,
): Finding[] {
  if (typeof status === 'string') {
    const fix = isRefused ? LOGIN_FIX : 'start it, or see OPENBELL_ETCD and OPENBELL_ETCD_TLS_*';
    // The others keep the rounds; with one fewer of them etcd stops.
    return [(othersAnswer ? doubtful : bad)('etcd', status, fix)];
  }
  return [
    versionFinding(endpoint, status),
    roomFinding(endpoint, status.dbBytes, quotaBytes),
    ...(Number.isNaN(clockSkewMs) ? [] : [clockFinding(endpoint, clockSkewMs)]),
  ];
}

const LOGIN_FIX = 'see OPENBELL_ETCD_USERNAME and _PASSWORD, and OPENBELL_ETCD_TLS_*';

function versionFinding(endpoint: string, { version, leader, id }: MemberStatus): Finding {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [majorMin, minorMin] = VERSION_MIN;
  const detail = `${endpoint}: version ${version}${leader === id ? ', leader' : ''}`;
  if (major < majorMin || (major === majorMin && minor < minorMin))
    return bad('etcd', detail, `use ${majorMin}.${minorMin} or newer`);
  if (leader === '0')
    return bad('etcd', `${detail}: it knows of no leader`, 'start more members: most of them must be there');
  return good('etcd', detail);
}

function roomFinding(endpoint: string, dbBytes: number, quotaBytes: number): Finding {
  const detail = `${endpoint}: ${Math.ceil(dbBytes / MIB)} of ${Math.floor(quotaBytes / MIB)} MiB`;
  if (dbBytes < ROOM_SHARE * quotaBytes) return good('etcd room', detail);
  return doubtful('etcd room', detail, ROOM_FIX);
}

const ROOM_FIX =
  '"etcdctl compact" to the present revision, "etcdctl defrag" on each member, then "etcdctl alarm disarm"; set --auto-compaction-retention';

/** Leases are measured by etcd's monotonic clock and ours; times in the keys and the log are compared by people. */
function clockFinding(endpoint: string, skewMs: number): Finding {
  const doubt = clockDoubt('etcd clock', endpoint, skewMs);
  return doubt ?? good('etcd clock', `${endpoint}: as this host, to the second`);
}

function clusterFindings({ members, alarms }: ClusterState, configured: number): Finding[] {
  const findings = alarms.map(alarmFinding);
  const voters = members.filter(({ isLearner }) => !isLearner).length;
  const names = members
    .map(({ name }) => (name === '' ? '(not started)' : name))
    .toSorted()
    .join(', ');
  const detail = `${voters} members: ${names}`;
  if (voters < MEMBERS_WANTED) {
    const fix = `run ${MEMBERS_WANTED} members on hosts of their own`;
    findings.push(
      doubtful(
        'etcd members',
        `${detail}; the loss of one stops them, and then every edge fences itself`,
        fix,
      ),
    );
  } else if (voters % 2 === 0) {
    findings.push(
      doubtful(
        'etcd members',
        `${detail}; an even number bears no more losses than one fewer`,
        'add or remove one',
      ),
    );
  } else if (configured < voters) {
    findings.push(
      doubtful('etcd members', `${detail}; ${configured} of them are in OPENBELL_ETCD`, 'name all of them'),
    );
  } else findings.push(good('etcd members', detail));
  return findings;
}

function alarmFinding(alarm: string): Finding {
  if (/nospace/i.test(alarm))
    return bad('etcd alarm', 'NOSPACE: it takes no writes, so nobody keeps a lease or a watermark', ROOM_FIX);
  return bad(
    'etcd alarm',
    `${alarm.toUpperCase()}: see "etcdctl alarm list"`,
    'replace the member that raised it',
  );
}

const unreadable = ({ message }: { readonly message: string }): Finding =>
  bad('etcd members', message, 'most of the members must be there: start them');

/** Whether we may read and write our keys, asked by a transaction that is never made; and who owns what. */
async function keyFindings(
  client: EtcdClient,
  keys: EtcdKeys,
  settings: EtcdSettings,
  once: CallOptions,
): Promise<Finding[]> {
  const key = keys.epoch('edge');
  const asked = await client.txn(
    {
      // Nothing is absent and has a value.
      when: [{ absent: key }, { key, value: 'never' }],
      change: [{ put: key, value: 'never' }],
      otherwise: [{ get: keys.owner('edge') }, { get: keys.owner('ledger') }],
    },
    once,
  );
  if (!asked.ok) {
    const isRefused = asked.error.code === 'refused';
    const fix = isRefused
      ? `${LOGIN_FIX}; the user needs read and write on keys that begin with ${key.split('/')[0]}/`
      : 'most of the members must be there: start them';
    return [bad('etcd access', asked.error.message, fix)];
  }
  const { login, tls } = settings;
  const who = login === null ? 'without a user' : `as user ${login.username}`;
  const access =
    login !== null && tls === null
      ? doubtful(
          'etcd access',
          `may read and write, ${who}; the password travels in plain text`,
          'set OPENBELL_ETCD_TLS_CA',
        )
      : good('etcd access', `may read and write, ${who}${tls === null ? '' : ', over TLS'}`);
  const [edge, ledger] = asked.value.replies;
  return [
    access,
    await ownerFinding(client, 'edge', 'rounds owner', edge?.[0]),
    await ownerFinding(client, 'ledger', 'books owner', ledger?.[0]),
  ];
}

async function ownerFinding(
  client: EtcdClient,
  role: Role,
  name: string,
  entry: Entry | undefined,
): Promise<Finding> {
  if (entry === undefined) return doubtful(name, 'nobody', `start "openbell ${role}"`);
  const owner = ownerOf(entry.value);
  const detail = `${owner['node'] ?? 'unknown'}, epoch ${owner['epoch'] ?? 'unknown'}, since ${owner['since'] ?? 'unknown'}`;
  const left = await client.leaseLeftS(entry.lease);
  if (!left.ok) return bad(name, `${detail}; its lease: ${left.error.message}`, 'ask again');
  if (left.value <= 0)
    return doubtful(name, `${detail}; its lease has run out`, 'ask again: a standby takes over now');
  return good(name, `${detail}; its lease has ${left.value} s left`);
}

function ownerOf(value: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(value) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
