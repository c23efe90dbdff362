// Everything that etcd does for a process, from its configuration.

import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from '../../core/config.js';
import { err, ok, type Result } from '../../core/result.js';
import type { Coordination } from '../coordination.js';
import { lockPlace } from '../lock-place.js';
import { EtcdClient, type EtcdSettings } from './etcd-client.js';
import { EtcdKeys } from './etcd-keys.js';
import { EtcdInvestorLocks } from './etcd-locks.js';
import { EtcdOwnershipStore } from './etcd-ownership.js';
import { EtcdRoundRegistry } from './etcd-rounds.js';
import { EtcdWatermarkStore } from './etcd-watermark.js';

export function openEtcdCoordination(config: Config, logger: Logger): Result<Coordination, string> {
  const settings = etcdSettings(config);
  if (!settings.ok) return settings;
  if (settings.value.tls === null && settings.value.login !== null)
    logger.warn('etcd: the password travels in plain text; set OPENBELL_ETCD_TLS_CA');
  const client = new EtcdClient(settings.value);
  const keys = new EtcdKeys(config.cluster);
  return ok({
    isShared: true,
    acquire: async (role) => {
      const store = new EtcdOwnershipStore({
        client,
        keys,
        node: config.node,
        place: lockPlace(role, config.dataDir),
        ttlS: config.leaseTtlS,
        clockNs: () => process.hrtime.bigint(),
        logger,
      });
      const acquired = await store.acquire(role);
      if (!acquired.ok) return acquired;
      const ownership = acquired.value;
      return ok({
        ownership,
        watermark: new EtcdWatermarkStore(client, keys),
        rounds: new EtcdRoundRegistry({ client, keys, ownership }),
        locks: new EtcdInvestorLocks({ client, keys, ownership }),
      });
    },
    close: () => client.close(),
  });
}

/** What the client of etcd needs, with its files read; an error is a matter of the configuration. */
export function etcdSettings(config: Config): Result<EtcdSettings, string> {
  const { etcd, etcdTlsCa, etcdTlsCert, etcdTlsKey, etcdUsername, etcdPassword } = config;
  if ((etcdTlsCert === undefined) !== (etcdTlsKey === undefined))
    return err('OPENBELL_ETCD_TLS_CERT and OPENBELL_ETCD_TLS_KEY belong together: set both, or neither');
  if (etcdTlsCert !== undefined && etcdTlsCa === undefined)
    return err('OPENBELL_ETCD_TLS_CERT needs OPENBELL_ETCD_TLS_CA, the authority that etcd is trusted by');
  if ((etcdUsername === undefined) !== (etcdPassword === undefined))
    return err('OPENBELL_ETCD_USERNAME and OPENBELL_ETCD_PASSWORD belong together: set both, or neither');
  const files: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  for (const [name, path, variable] of [
    ['ca', etcdTlsCa, 'OPENBELL_ETCD_TLS_CA'],
    ['cert', etcdTlsCert, 'OPENBELL_ETCD_TLS_CERT'],
    ['key', etcdTlsKey, 'OPENBELL_ETCD_TLS_KEY'],
  ] as const) {
    if (path === undefined) continue;
    try {
      files[name] = readFileSync(path);
    } catch (error) {
      return err(`${variable} cannot be read: ${(error as Error).message}`);
    }
  }
  const { ca, ...shown } = files;
  return ok({
    endpoints: etcd,
    tls: ca === undefined ? null : { ca, ...shown },
    login:
      etcdUsername === undefined || etcdPassword === undefined
        ? null
        : { username: etcdUsername, password: etcdPassword },
  });
}
