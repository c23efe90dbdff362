// What `openbell doctor` checks of NSQ: every nsqd by its TCP port, as the bus would use it, and by its HTTP port; every
// nsqlookupd; and what lies in the topics. Nothing is published, consumed or made.

import type { Config } from '../core/config.js';
import { LINK_WINDOW_MESSAGES, NSQ_MESSAGE_BYTES_MAX } from '../core/limits.js';
import { nsqSettingsOf } from '../engines/bus-of.js';
import { type NsqdGreeting, probeNsqd } from '../engines/nsq/nsq-probe.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import { type LookupView, type NsqdView, type NsqView, viewNsq } from '../engines/nsq/nsq-view.js';
import { clockDoubt } from './doctor-clock.js';
import { bad, doubtful, type Finding, good } from './doctor-finding.js';
import { topicFindings } from './doctor-nsq-topics.js';

/** The first version whose protocol and figures are the ones that are used here. */
const MAJOR_MIN = 1;

/** Nothing where NSQ is not configured. */
export async function nsqFindings(config: Config): Promise<Finding[]> {
  const settings = nsqSettingsOf(config);
  if (!settings.ok) return [bad('nsq', settings.error, 'mend the path, or the rights on the file')];
  if (settings.value === undefined) return [];
  const view = await viewNsq(settings.value, config.nsqdHttp);
  const addresses = tcpAddresses(settings.value, view);
  const greeted = await Promise.all(addresses.map((address) => greeting(address, settings.value!)));
  return [
    ...view.lookups.map((lookup) => lookupFinding(lookup, settings.value!)),
    ...(addresses.length > 0 ? [] : [nowhere()]),
    ...greeted.flat(),
    ...view.nsqds.flatMap(httpFindings),
    ...unreadFindings(view),
    ...topicFindings(view),
  ];
}

/** Those that are published to and subscribed to, each once. */
function tcpAddresses({ nsqd }: NsqSettings, { lookups }: NsqView): readonly string[] {
  return [...new Set([...nsqd, ...lookups.flatMap(({ nsqds }) => (typeof nsqds === 'string' ? [] : nsqds))])];
}

const nowhere = (): Finding =>
  bad(
    'nsqd',
    'no nsqd is known: nothing can be published',
    'start nsqd with -lookupd-tcp-address, or set OPENBELL_NSQD',
  );

function lookupFinding({ address, nsqds }: LookupView, settings: NsqSettings): Finding {
  if (typeof nsqds === 'string') {
    const fix = 'start it, or see OPENBELL_NSQLOOKUPD: it is the HTTP address, port 4161 by default';
    // What is configured is used all the same; without that nobody is found.
    const finding = settings.nsqd.length > 0 ? doubtful : bad;
    return finding('nsqlookupd', `${address}: ${nsqds}`, fix);
  }
  if (nsqds.length > 0) return good('nsqlookupd', `${address} names ${nsqds.join(', ')}`);
  return doubtful('nsqlookupd', `${address} names no nsqd`, 'start nsqd with -lookupd-tcp-address of it');
}

async function greeting(address: string, settings: NsqSettings): Promise<Finding[]> {
  const probed = await probeNsqd(address, settings);
  if (!probed.ok) return [bad('nsqd', `${address}: ${probed.error}`, refusalFix(probed.error))];
  return [doorFinding(address, probed.value, settings), ...boundFindings(address, probed.value)];
}

function refusalFix(reason: string): string {
  if (/^E_(AUTH|UNAUTHORIZED)/.test(reason))
    return 'see OPENBELL_NSQ_AUTH_SECRET, and what the auth server lets it do';
  if (/TLS|certificate|SSL|CERT/i.test(reason))
    return 'see OPENBELL_NSQ_TLS_CA, _CERT and _KEY, and how nsqd is set up';
  if (/^E_BAD_BODY/.test(reason))
    return 'start nsqd with its own -max-msg-timeout and -max-heartbeat-interval';
  return 'start it, or see OPENBELL_NSQD: it is the TCP address, port 4150 by default';
}

function doorFinding(
  address: string,
  { version, isTls, asksSecret }: NsqdGreeting,
  settings: NsqSettings,
): Finding {
  const how = `${isTls ? ', TLS' : ''}${asksSecret ? ', authenticated' : ''}`;
  const detail = `${address}: version ${version}${how}`;
  if (Number.parseInt(version, 10) < MAJOR_MIN) return bad('nsqd', detail, `use ${MAJOR_MIN}.0 or newer`);
  if (asksSecret && settings.authSecret === null)
    return bad('nsqd', `${detail}: it asks for a secret`, 'set OPENBELL_NSQ_AUTH_SECRET');
  if (asksSecret && !isTls)
    return doubtful(
      'nsqd',
      `${detail}: the secret travels in plain text`,
      'set OPENBELL_NSQ_TLS_CA, and nsqd to TLS',
    );
  return good('nsqd', detail);
}

function boundFindings(address: string, { maxReady, messageBytesMax }: NsqdGreeting): Finding[] {
  const findings: Finding[] = [];
  if (maxReady < LINK_WINDOW_MESSAGES) {
    const detail = `${address}: -max-rdy-count ${maxReady}, and ${LINK_WINDOW_MESSAGES} are asked for`;
    findings.push(bad('nsqd bounds', detail, 'start nsqd with its own -max-rdy-count (2500) or more'));
  }
  if (messageBytesMax !== null) {
    const detail = `${address}: -max-msg-size ${messageBytesMax}, and a dead letter may have ${NSQ_MESSAGE_BYTES_MAX}`;
    findings.push(doubtful('nsqd bounds', detail, 'start nsqd with its own -max-msg-size (1048576) or more'));
  }
  if (findings.length === 0)
    findings.push(good('nsqd bounds', `${address} takes our largest message, ${maxReady} in flight`));
  return findings;
}

function httpFindings({ url, health, clockSkewMs, topics }: NsqdView): Finding[] {
  const findings: Finding[] = [];
  // nsqd says so after the first write to its disk that failed, and until one succeeds.
  if (health !== 'OK')
    findings.push(bad('nsqd health', `${url}: ${health}`, 'see its log, and the disk of its -data-path'));
  const clock = clockDoubt('nsqd clock', url, clockSkewMs);
  if (clock !== null) findings.push(clock);
  if (findings.length > 0) return findings;
  const inMemory = topics.reduce((sum, topic) => sum + topic.inMemory, 0);
  const kept =
    inMemory === 0 ? '' : `; ${inMemory} messages are in its memory only, and published again if it dies`;
  return [good('nsqd health', `${url}: ${health}${kept}`)];
}

function unreadFindings({ unread, unknown, lookups }: NsqView): Finding[] {
  const said = new Set(lookups.map(({ address }) => `nsqlookupd ${address}`));
  const fix = 'see OPENBELL_NSQD_HTTP, and that the HTTP port can be reached from here';
  return [
    ...unread
      .filter(({ place }) => !said.has(place))
      .map(({ place, reason }) => bad('nsqd depth', `${place}: ${reason}`, fix)),
    ...unknown.map((address) =>
      doubtful(
        'nsqd depth',
        `${address}: nobody says where its HTTP port is`,
        'set OPENBELL_NSQD_HTTP, or OPENBELL_NSQLOOKUPD',
      ),
    ),
  ];
}
