// The request file: every record is one whole request of one length, and no two share investor, token or key.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TokenVerifier } from '../../src/core/token.js';
import { recordToken, writeRequestFile } from './request-file.js';

test('records are of one length, and different investors, tokens and keys', () => {
  const dir = mkdtempSync(join(tmpdir(), 'openbell-requests-'));
  const options = {
    file: join(dir, 'requests'),
    records: 20_000,
    round: 'bench',
    amount: 50_000,
    label: 'bench',
  };
  const secret = 'a secret of the test, longer than 32 bytes';
  try {
    const recordBytes = writeRequestFile({ ...options, secret });
    const text = readFileSync(options.file, 'latin1');
    assert.equal(text.length, recordBytes * options.records);
    const verifier = new TokenVerifier({ secret });
    const seen = { investor: new Set<string>(), token: new Set<string>(), key: new Set<string>() };
    for (let i = 0; i < options.records; i += 97) {
      const request = text.slice(i * recordBytes, (i + 1) * recordBytes);
      assert.match(request, /^POST \/v1\/rounds\/bench\/investments HTTP\/1\.1\r\n/);
      assert.match(request, /\r\n\r\n\{"amount":50000,"currency":"GBP"\}$/);
      const token = /Bearer (\S+)/.exec(request)?.[1] ?? '';
      const key = /Idempotency-Key: ([A-Za-z0-9_-]{1,64})\r\n/.exec(request)?.[1] ?? '';
      assert.equal(token, recordToken({ ...options, secret }, i));
      assert.equal(token.length, 200);
      const claims = verifier.verify(token, 1_800_000_000_000) ?? assert.fail(`record ${i}`);
      for (const [set, value] of [
        [seen.investor, claims.investor],
        [seen.token, token],
        [seen.key, key],
      ] as const) {
        assert.ok(!set.has(value), `record ${i}: ${value} again`);
        set.add(value);
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
