// The edge's admin port: all its routes, by subject. Every change, and every reading of a person's data, needs a token
// with the scope openbell:admin; what is open shows only sums and states.

import type { AdminRoute } from '../http/admin-routes.js';
import { content, refusal } from '../http/responses.js';
import { type InvestorBalances, investorRoutes } from './admin-investors.js';
import { type OpsModules, opsRoutes } from './admin-ops.js';
import { type RoundRouteModules, roundRoutes } from './admin-rounds.js';
import { PROBLEM_PAGE_CONTENT_TYPE, problemPage } from './problem-pages.js';

export interface EdgeAdminModules extends RoundRouteModules, OpsModules {
  readonly investors: InvestorBalances;
}

/** The routes of the edge's admin port. */
export function edgeAdminRoutes(modules: EdgeAdminModules): readonly AdminRoute[] {
  return [
    ...roundRoutes(modules),
    ...investorRoutes(modules.investors),
    ...opsRoutes(modules),
    PROBLEMS_ROUTE,
  ];
}

/** The `type` of a problem resolves on the port that told it. */
const PROBLEMS_ROUTE: AdminRoute = {
  method: 'GET',
  path: '/problems/:code',
  access: 'none',
  handler: ({ params }) => {
    const page = problemPage(params['code'] ?? '');
    return page === undefined ? refusal('not-found') : content(page, PROBLEM_PAGE_CONTENT_TYPE);
  },
};
