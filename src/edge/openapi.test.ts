// The OpenAPI document: whole in itself, and the same as what the routes, rows and problems really are.

import type { TemplatedApp } from 'uWebSockets.js';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvestmentIds, ownLineage } from '../core/ids.js';
import { acceptedObject, investmentObject } from '../core/investment-view.js';
import { PROBLEMS, type Problem, problemObject } from '../core/problem.js';
import type { VerdictRow } from '../core/rows.js';
import { refusalOf } from '../workers/refusal.js';
import { rejectionOf } from '../workers/verdict-writer.js';
import { fakeRoundView } from './fake-metrics-sources.js';
import { addLiveRoute } from './live.js';
import { openapiDocument } from './openapi.js';
import { type Any, assertFits, document, follow, mismatch, resolve, walk } from './openapi-reader.js';
import { PUBLIC_PROBLEM_CODES } from './openapi-schemas.js';
import { addPublicRoutes } from './public-routes.js';
import { RoundViews } from './round-view.js';

const operations: { path: string; method: string; operation: Any }[] = Object.entries(document.paths).flatMap(
  ([path, item]: [string, Any]) =>
    Object.entries(item)
      .filter(([method]) => method !== 'parameters')
      .map(([method, operation]) => ({ path, method, operation })),
);

const IDS = new InvestmentIds(ownLineage('k3v9x2ab'));

describe('the document', () => {
  test('names its version, and is plain JSON', () => {
    assert.equal(document.openapi, '3.1.0');
    assert.equal(document.info.version, '1.2.3');
    assert.deepEqual(document, JSON.parse(JSON.stringify(openapiDocument('1.2.3'))));
  });

  test('every reference resolves, and every component is used', () => {
    const used = new Set<string>();
    for (const { path, value } of walk(document)) {
      const references = [value.$ref, ...Object.values(value.discriminator?.mapping ?? {})];
      for (const reference of references) {
        if (typeof reference !== 'string') continue;
        assert.ok(resolve(reference) !== undefined, `${path}: ${reference}`);
        used.add(reference);
      }
    }
    for (const kind of ['schemas', 'responses', 'parameters', 'headers']) {
      for (const name of Object.keys(document.components[kind])) {
        assert.match(name, /^[A-Za-z0-9._-]+$/);
        assert.ok(used.has(`#/components/${kind}/${name}`), `${kind} ${name} is used nowhere`);
      }
    }
  });

  test('the parameters of a path are those in its braces', () => {
    for (const [path, item] of Object.entries<Any>(document.paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = (item.parameters ?? [])
        .map(follow)
        .filter((parameter: Any) => parameter.in === 'path');
      assert.deepEqual(
        declared.map((parameter: Any) => parameter.name),
        named,
        path,
      );
      assert.ok(declared.every((parameter: Any) => parameter.required === true));
    }
  });

  test('operations have ids of their own, responses descriptions, and what needs a token has a 401', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const { path, operation } of operations) {
      for (const [status, response] of Object.entries<Any>(operation.responses)) {
        assert.match(status, /^[1-5]\d\d$/);
        assert.ok(follow(response).description.length > 0, `${path} ${status}`);
      }
      const needsToken = operation.security.some((way: Any) => 'bearer' in way);
      assert.equal('401' in operation.responses, needsToken, path);
      assert.equal('503' in operation.responses, needsToken, path);
      for (const status of ['405', '431', '500'])
        assert.ok(status in operation.responses, `${path} ${status}`);
    }
  });

  test('lists exactly the routes of the public port', () => {
    const routes = new Map<string, Set<string>>();
    const record = (method: string) => (pattern: string) => {
      const path = pattern.replaceAll(/:(\w+)/g, '{$1}');
      routes.set(path, (routes.get(path) ?? new Set()).add(method));
    };
    const app = { get: record('get'), post: record('post'), any: record('any'), ws: record('get') };
    const nothing = {} as never;
    addPublicRoutes(app as unknown as TemplatedApp, nothing);
    addLiveRoute(app as unknown as TemplatedApp, nothing);
    routes.delete('/*');
    assert.deepEqual([...routes.keys()].sort(), Object.keys(document.paths).sort());
    for (const [path, methods] of routes) {
      assert.ok(methods.delete('any'), `${path} answers other methods with 405`);
      const documented = operations.filter((each) => each.path === path).map(({ method }) => method);
      assert.deepEqual([...methods].sort(), documented.sort(), path);
    }
  });
});

describe('problems', () => {
  test('each public code is answered somewhere, under its own status, and no other code is', () => {
    const answered = new Set<string>();
    for (const { path, operation } of operations) {
      for (const [status, response] of Object.entries<Any>(operation.responses)) {
        const content = follow(response).content?.['application/problem+json'];
        if (content === undefined) continue;
        for (const option of content.schema.oneOf ?? [content.schema]) {
          const { properties } = follow(option);
          assert.equal(String(properties.status.const), status, `${path} ${properties.code.const}`);
          answered.add(properties.code.const);
        }
      }
    }
    assert.deepEqual([...answered].sort(), [...PUBLIC_PROBLEM_CODES].sort());
  });

  test('the public codes are those of the table but those of the admin ports', () => {
    const admin = [
      'forbidden',
      'round-exists',
      'wrong-state',
      'cap-below',
      'rounds-exhausted',
      'transfer-conflict',
      'account-not-found',
      'investor-not-found',
    ];
    assert.deepEqual([...PUBLIC_PROBLEM_CODES, ...admin].sort(), Object.keys(PROBLEMS).sort());
  });

  test('headers that belong to a status are there', () => {
    const { responses } = document.paths['/v1/rounds/{round}/investments'].post;
    const headersOf = (status: number): string[] =>
      Object.keys(follow(responses[status]).headers ?? {}).sort();
    assert.deepEqual(headersOf(201), ['Idempotency-Replayed', 'Location']);
    assert.deepEqual(headersOf(401), ['WWW-Authenticate']);
    assert.deepEqual(headersOf(403), ['Idempotency-Replayed']);
    assert.deepEqual(headersOf(405), ['Allow']);
    assert.deepEqual(headersOf(409), ['Idempotency-Replayed', 'Retry-After']);
    assert.deepEqual(headersOf(422), ['Idempotency-Replayed']);
    assert.deepEqual(headersOf(429), ['Retry-After']);
    assert.deepEqual(headersOf(503), ['Retry-After']);
  });
});

describe('what the node says fits', () => {
  const row: VerdictRow = {
    kind: 'verdict',
    sequence: 1_234,
    at: Date.parse('2026-11-23T10:00:00.123Z'),
    round: 1,
    investor: 'a"b\\c',
    key: 'k',
    verdict: 'accepted',
    amount: 50_000,
    extra: 0,
  };
  const at = row.at + 5;

  test('investments in every state', () => {
    const see = (changes: Partial<VerdictRow>, outcome: Parameters<typeof investmentObject>[3] = null) =>
      investmentObject(IDS, { id: 'crowd', currency: 'GBP' }, { ...row, ...changes }, outcome);
    assertFits('AcceptedInvestment', acceptedObject(IDS, { id: 'crowd', currency: 'GBP' }, row));
    assertFits('Investment', see({}));
    assertFits('Investment', see({}, { state: 'settled', reason: null, at }));
    for (const reason of ['insufficient-funds', 'not-eligible', 'cap-exceeded'] as const) {
      assertFits('Investment', see({}, { state: 'declined', reason, at }));
    }
    for (const verdict of [
      'not-eligible',
      'already-invested',
      'insufficient-balance',
      'round-full',
    ] as const) {
      assertFits('Investment', see({ verdict }));
    }
  });

  test('rounds', () => {
    const views = new RoundViews({
      rounds: {
        get: () => undefined,
        list: () => [
          {
            ...fakeRoundView,
            number: 1,
            opensAt: at,
            closesAt: null,
            unknownBalance: 'refuse',
            state: 'paused',
          },
        ],
      },
      counters: () => ({ admitted: 1_000, investors: 1, settled: 0 }),
      sequence: () => 0,
      nowMs: () => at,
      monotonicMs: () => 0,
    });
    assertFits('RoundList', JSON.parse(String(views.listBytes())));
    assertFits('Round', views.views()[0]);
  });

  test('problems with their members', () => {
    const round = {
      ...fakeRoundView,
      number: 1,
      opensAt: at + 60_000,
      closesAt: null,
      unknownBalance: 'refuse',
    } as const;
    const definition = { ...round, state: 'scheduled' } as const;
    const told: Problem[] = [
      ...(['not-eligible', 'already-invested', 'insufficient-balance', 'round-full'] as const).map(
        (verdict) => rejectionOf(IDS, verdict, 7),
      ),
      ...(
        [
          'round-not-found',
          'idempotency-key-reused',
          'currency-mismatch',
          'amount-below-minimum',
          'amount-above-maximum',
          'round-not-open',
          'round-paused',
          'round-closed',
        ] as const
      ).map((code) => refusalOf(code, definition, at)),
      { code: 'malformed-request', members: { pointer: '/a~1b' } },
      { code: 'malformed-request', members: { pointer: '' } },
    ];
    const bare = PUBLIC_PROBLEM_CODES.filter((code) => !told.some((problem) => problem.code === code));
    for (const problem of [...told, ...bare.map((code) => ({ code }))]) {
      assertFits(`Problem-${problem.code}`, problemObject(problem));
    }
  });

  test('the examples of the document fit their schemas', () => {
    let checked = 0;
    for (const { path, value } of walk(document)) {
      if (value.schema === undefined) continue;
      const examples = [
        value.example,
        ...Object.values<Any>(value.examples ?? {}).map((example) => example.value),
      ];
      for (const example of examples.filter((each) => each !== undefined)) {
        assert.equal(mismatch(value.schema, example), null, path);
        checked++;
      }
    }
    assert.ok(checked > 30);
  });

  test('and what it would not say does not', () => {
    const schema = { $ref: '#/components/schemas/AcceptedInvestment' };
    const good = acceptedObject(IDS, { id: 'crowd', currency: 'GBP' }, row);
    for (const change of [
      { amount: 0 },
      { amount: 1.5 },
      { state: 'settled' },
      { extra: 1 },
      { currency: 'gbp' },
      { id: '' },
    ]) {
      assert.notEqual(mismatch(schema, { ...good, ...change }), null, JSON.stringify(change));
    }
  });
});
