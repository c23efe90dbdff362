// Which coordination a configuration asks for, and what is wrong with one that cannot be had.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { loadConfig } from '../core/config.js';
import { openCoordination } from './coordination.js';
import { lockPlace } from './lock-place.js';

const logger = pino({ level: 'silent' });

async function opened(env: Record<string, string>): Promise<string> {
  const config = loadConfig({ env, cores: 1 });
  assert.ok(config.ok);
  const coordination = await openCoordination(config.value, logger);
  if (!coordination.ok) return coordination.error;
  coordination.value.close();
  return coordination.value.isShared ? 'etcd' : 'embedded';
}

describe('the coordination', () => {
  test('is embedded unless etcd is named', async () => {
    assert.equal(await opened({}), 'embedded');
    assert.equal(await opened({ OPENBELL_ETCD_USERNAME: 'a' }), 'embedded');
    assert.equal(await opened({ OPENBELL_ETCD: '127.0.0.1:1' }), 'etcd');
  });

  test('settings that belong together are named together', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'openbell-coordination-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const file = join(dir, 'a.pem');
    writeFileSync(file, 'x');
    const etcd = { OPENBELL_ETCD: '127.0.0.1:1' };
    for (const [env, problem] of [
      [{ OPENBELL_ETCD_TLS_CERT: file }, /_TLS_CERT and OPENBELL_ETCD_TLS_KEY belong together/],
      [{ OPENBELL_ETCD_TLS_CERT: file, OPENBELL_ETCD_TLS_KEY: file }, /needs OPENBELL_ETCD_TLS_CA/],
      [{ OPENBELL_ETCD_TLS_CA: join(dir, 'none') }, /OPENBELL_ETCD_TLS_CA cannot be read: ENOENT/],
      [{ OPENBELL_ETCD_USERNAME: 'a' }, /_USERNAME and OPENBELL_ETCD_PASSWORD belong together/],
      [{ OPENBELL_ETCD_PASSWORD: 'a' }, /_USERNAME and OPENBELL_ETCD_PASSWORD belong together/],
    ] as const) {
      assert.match(await opened({ ...etcd, ...env }), problem);
    }
  });

  test('a place is one role of one directory, by its real path', (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'openbell-place-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const here = lockPlace('edge', dir);
    assert.match(here, /^[0-9a-f]{64}$/);
    assert.equal(lockPlace('edge', `${dir}/.`), here);
    assert.notEqual(lockPlace('ledger', dir), here);
    assert.notEqual(lockPlace('edge', tmpdir()), here);
    const nowhere = join(dir, 'none');
    assert.notEqual(
      lockPlace('edge', nowhere),
      lockPlace('edge', nowhere),
      'a place that is not known is no place',
    );
  });
});
