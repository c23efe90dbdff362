// What all nsqds hold at one moment, as their HTTP ports tell it: depth of topics and channels, and what nsqd says of its
// own health. For audits and the doctor; nothing here is consumed or changed.
//
// Which nsqds: those of OPENBELL_NSQD_HTTP, and those that nsqlookupd names. An nsqd that is known only by its TCP address
// is looked for at the port that goes with nsqd's default one; of any other it is not known where its HTTP port is.

import {
  NSQ_FRAME_BYTES_MAX,
  NSQ_LOOKUP_BYTES_MAX,
  NSQ_LOOKUP_TIMEOUT_MS,
  NSQ_NSQDS_MAX,
} from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import { BoundedHttp } from '../bounded-http.js';
import { joinAddress, type NsqSettings, splitAddress } from './nsq-settings.js';

const TCP_PORT = 4150;
const HTTP_PORT = 4151;

export interface ChannelView {
  readonly name: string;
  /** Messages that wait, in flight at consumers, and put off by them. */
  readonly depth: number;
  readonly inFlight: number;
  readonly deferred: number;
  /** Connected consumers. */
  readonly clients: number;
  readonly paused: boolean;
}

export interface TopicView {
  readonly name: string;
  /** Messages that no channel has yet. */
  readonly depth: number;
  /** Of those, and of all channels, how many are not on disk. */
  readonly inMemory: number;
  readonly paused: boolean;
  readonly channels: readonly ChannelView[];
}

export interface NsqdView {
  readonly url: string;
  /** The `host:port` that it tells others for its TCP port. */
  readonly tcpAddress: string;
  readonly version: string;
  /** `OK`, or what is wrong with it: its disk, as a rule. */
  readonly health: string;
  /** What its clock says less what ours does, to the second; NaN where it does not say. */
  readonly clockSkewMs: number;
  readonly topics: readonly TopicView[];
}

export interface LookupView {
  readonly address: string;
  /** TCP addresses of the nsqds that it names; a string: why it could not be asked. */
  readonly nsqds: readonly string[] | string;
}

export interface NsqView {
  readonly nsqds: readonly NsqdView[];
  readonly lookups: readonly LookupView[];
  /** Should have been read and was not. */
  readonly unread: readonly { readonly place: string; readonly reason: string }[];
  /** TCP addresses of nsqds of which nobody says where their HTTP port is. */
  readonly unknown: readonly string[];
}

/** Messages of one topic, in all its channels and in none, at all nsqds together. */
export interface TopicSum {
  readonly waiting: number;
  readonly inFlight: number;
  readonly deferred: number;
}

interface Producer {
  readonly tcpAddress: string;
  readonly hostName: string;
  readonly httpUrl: string;
}

/** Asks everything once. A failure is part of the view. */
export async function viewNsq(settings: NsqSettings, httpUrls: readonly string[]): Promise<NsqView> {
  const http = new BoundedHttp(NSQ_LOOKUP_TIMEOUT_MS, settings.tls);
  try {
    const asked = await Promise.all(settings.nsqlookupd.map((address) => askLookup(http, address)));
    const named = await askAll(http, httpUrls);
    const seen = [...named.nsqds];
    const isSeen = (address: string, host = ''): boolean =>
      seen.some(({ names }) => names.includes(address) || names.includes(host));
    const producers = asked.flatMap(({ producers }) => producers);
    const others = producers.filter(({ tcpAddress, hostName }) => !isSeen(tcpAddress, hostName));
    const known = new Set([
      ...others.map(({ httpUrl }) => httpUrl),
      ...(httpUrls.length > 0 ? [] : settings.nsqd.flatMap((address) => conventional(address, producers))),
    ]);
    const found = await askAll(http, [...known].slice(0, NSQ_NSQDS_MAX));
    seen.push(...found.nsqds);
    const isCovered = (address: string): boolean =>
      httpUrls.length > 0 ||
      isSeen(address) ||
      conventional(address, producers).length > 0 ||
      producers.some(({ tcpAddress }) => tcpAddress === address);
    return {
      nsqds: seen.map(({ view }) => view),
      lookups: asked.map(({ view }) => view),
      unread: [...lookupFailures(asked), ...named.unread, ...found.unread],
      unknown: settings.nsqd.filter((address) => !isCovered(address)),
    };
  } finally {
    await http.close();
  }
}

/** What all nsqds hold of a topic. */
export function topicSum(nsqds: readonly NsqdView[], name: string): TopicSum {
  let [waiting, inFlight, deferred] = [0, 0, 0];
  for (const topic of topicsOf(nsqds, name)) {
    waiting += topic.depth;
    for (const channel of topic.channels) {
      waiting += channel.depth;
      inFlight += channel.inFlight;
      deferred += channel.deferred;
    }
  }
  return { waiting, inFlight, deferred };
}

/** A topic at each nsqd that has it. */
export function topicsOf(nsqds: readonly NsqdView[], name: string): readonly TopicView[] {
  return nsqds.flatMap(({ topics }) => topics.filter((topic) => topic.name === name));
}

/** Where the HTTP port of an nsqd is that keeps its defaults and that nsqlookupd does not name. */
function conventional(address: string, producers: readonly Producer[]): string[] {
  if (producers.some(({ tcpAddress, hostName }) => tcpAddress === address || hostName === address)) return [];
  const { host, port } = splitAddress(address);
  return port === TCP_PORT ? [`http://${joinAddress(host, HTTP_PORT)}`] : [];
}

interface LookupAnswer {
  readonly view: LookupView;
  readonly producers: readonly Producer[];
}

async function askLookup(http: BoundedHttp, address: string): Promise<LookupAnswer> {
  const answer = await http.get(`http://${address}/nodes`, NSQ_LOOKUP_BYTES_MAX);
  const producers = answer.ok ? producersOf(answer.value.text) : answer;
  if (!producers.ok) return { view: { address, nsqds: producers.error }, producers: [] };
  const nsqds = producers.value.map(({ tcpAddress }) => tcpAddress);
  return { view: { address, nsqds }, producers: producers.value };
}

function* lookupFailures(asked: readonly LookupAnswer[]): Iterable<{ place: string; reason: string }> {
  for (const { view } of asked) {
    if (typeof view.nsqds === 'string') yield { place: `nsqlookupd ${view.address}`, reason: view.nsqds };
  }
}

interface Seen {
  readonly view: NsqdView;
  /** What it may be called as a TCP address. */
  readonly names: readonly string[];
}

async function askAll(
  http: BoundedHttp,
  urls: readonly string[],
): Promise<{ nsqds: Seen[]; unread: { place: string; reason: string }[] }> {
  const asked = await Promise.all(urls.map(async (url) => ({ url, view: await askNsqd(http, url) })));
  const nsqds: Seen[] = [];
  const unread: { place: string; reason: string }[] = [];
  for (const { url, view } of asked) {
    if (view.ok) nsqds.push(view.value);
    else unread.push({ place: `nsqd ${url}`, reason: view.error });
  }
  return { nsqds, unread };
}

async function askNsqd(http: BoundedHttp, url: string): Promise<Result<Seen, string>> {
  const info = await http.get(`${url}/info`, NSQ_LOOKUP_BYTES_MAX);
  if (!info.ok) return info;
  const clockSkewMs = info.value.clockMs - Date.now();
  const about = objectOf(info.value.text);
  const { version, broadcast_address: broadcast, hostname, tcp_port: port } = about;
  if (info.value.status !== 200 || typeof version !== 'string' || typeof port !== 'number')
    return err(`it does not answer like an nsqd (${info.value.status})`);
  const answer = await http.get(
    `${url}/stats?format=json&include_clients=false&include_mem=false`,
    NSQ_FRAME_BYTES_MAX,
  );
  if (!answer.ok) return answer;
  const { health, topics } = objectOf(answer.value.text);
  if (answer.value.status !== 200 || !Array.isArray(topics))
    return err(`it does not tell its depth (${answer.value.status})`);
  const hosts = [broadcast, hostname, new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')];
  const names = hosts.flatMap((host) => (typeof host === 'string' ? [joinAddress(host, port)] : []));
  const view: NsqdView = {
    url,
    tcpAddress: names[0] ?? url,
    version,
    health: typeof health === 'string' ? health : 'unknown',
    clockSkewMs,
    topics: topics.map(topicView),
  };
  return ok({ view, names });
}

type Json = Readonly<Record<string, unknown>>;

/** Empty for what is not a JSON object. */
function objectOf(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}

const count = (from: Json, name: string): number => (typeof from[name] === 'number' ? from[name] : 0);
const name = (from: Json, key: string): string => (typeof from[key] === 'string' ? from[key] : '');
const list = (from: Json, key: string): Json[] => (Array.isArray(from[key]) ? (from[key] as Json[]) : []);

function topicView(topic: Json): TopicView {
  const channels = list(topic, 'channels');
  const inMemory = [topic, ...channels].reduce(
    (sum, queue) => sum + count(queue, 'depth') - count(queue, 'backend_depth'),
    0,
  );
  return {
    name: name(topic, 'topic_name'),
    depth: count(topic, 'depth'),
    inMemory,
    paused: topic['paused'] === true,
    channels: channels.map((channel) => ({
      name: name(channel, 'channel_name'),
      depth: count(channel, 'depth'),
      inFlight: count(channel, 'in_flight_count'),
      deferred: count(channel, 'deferred_count'),
      clients: count(channel, 'client_count'),
      paused: channel['paused'] === true,
    })),
  };
}

/** The nsqds that an nsqlookupd names; the error says that this is no answer of one. */
function producersOf(text: string): Result<Producer[], string> {
  const { producers } = objectOf(text);
  if (!Array.isArray(producers)) return err('it does not answer like an nsqlookupd');
  return ok(
    (producers as Json[]).flatMap((producer) => {
      const [host, machine] = [name(producer, 'broadcast_address'), name(producer, 'hostname')];
      const [tcpPort, httpPort] = [count(producer, 'tcp_port'), count(producer, 'http_port')];
      if (host === '' || tcpPort <= 0 || httpPort <= 0) return [];
      return [
        {
          tcpAddress: joinAddress(host, tcpPort),
          hostName: joinAddress(machine === '' ? host : machine, tcpPort),
          httpUrl: `http://${joinAddress(host, httpPort)}`,
        },
      ];
    }),
  );
}
