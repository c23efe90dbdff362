// Admin routes of rounds: creating, reading, amending, and the transitions.

import type { Problem } from '../core/problem.js';
import { ok, type Result } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import type { AdminRequest, AdminResponse, AdminRoute } from '../http/admin-routes.js';
import { json, problem } from '../http/responses.js';
import { malformed } from './round-bodies.js';
import type { RoundViews } from './round-view.js';
import type { RoundAction, RoundsService } from './rounds.js';

export interface RoundRouteModules {
  readonly rounds: RoundsService;
  readonly views: RoundViews;
}

const ACTIONS: readonly RoundAction[] = ['open', 'pause', 'resume', 'close'];
const PATH = '/admin/v1/rounds';
const JSON_TYPES = ['application/json'] as const;

/** Rounds hold no personal data, so reading them needs no token. */
export function roundRoutes({ rounds, views }: RoundRouteModules): readonly AdminRoute[] {
  /** What the public sees, and what only an operator has a use for. */
  const view = (definition: RoundDefinition): Record<string, unknown> => ({
    ...views.view(definition.id),
    unknownBalance: definition.unknownBalance,
  });
  const answer = (changed: Result<RoundDefinition, Problem>): AdminResponse =>
    changed.ok ? json(view(changed.value)) : problem(changed.error);

  return [
    {
      method: 'POST',
      path: PATH,
      access: 'admin',
      contentTypes: JSON_TYPES,
      handler: async (request) => {
        const body = readJson(request);
        if (!body.ok) return problem(body.error);
        const created = await rounds.create(body.value);
        if (!created.ok) return problem(created.error);
        return json(view(created.value), 201, { Location: `${PATH}/${created.value.id}` });
      },
    },
    { method: 'GET', path: PATH, access: 'none', handler: () => json({ rounds: rounds.list().map(view) }) },
    {
      method: 'GET',
      path: `${PATH}/:round`,
      access: 'none',
      handler: (request) => {
        const definition = rounds.get(roundOf(request));
        return definition === undefined ? problem({ code: 'round-not-found' }) : json(view(definition));
      },
    },
    {
      method: 'PATCH',
      path: `${PATH}/:round`,
      access: 'admin',
      contentTypes: [...JSON_TYPES, 'application/merge-patch+json'],
      handler: async (request) => {
        const body = readJson(request);
        return body.ok ? answer(await rounds.amend(roundOf(request), body.value)) : problem(body.error);
      },
    },
    ...ACTIONS.map(
      (action): AdminRoute => ({
        method: 'POST',
        path: `${PATH}/:round/${action}`,
        access: 'admin',
        handler: async (request) => answer(await rounds.transition(roundOf(request), action)),
      }),
    ),
  ];
}

function roundOf(request: AdminRequest): string {
  return request.params['round'] ?? '';
}

function readJson({ body }: AdminRequest): Result<unknown, Problem> {
  try {
    return ok(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
  } catch {
    return malformed('', 'the body is not JSON in UTF-8');
  }
}
