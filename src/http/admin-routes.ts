// What an admin route is, and how a request finds its own. Pure: the server around it does the talking.

import type { Problem } from '../core/problem.js';

export type AdminMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface AdminRequest {
  readonly method: AdminMethod | 'HEAD';
  readonly path: string;
  /** The `:names` of the route's path, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Lower case, without parameters; empty without a body. */
  readonly contentType: string;
  readonly body: Uint8Array;
  /** `sub` of the token; empty on routes that need none. */
  readonly subject: string;
  /** Another header, by its lower-case name; empty when absent. Only those that the route lists. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminRoute {
  readonly method: AdminMethod;
  /** Segments, `:name` for one that varies: `/admin/v1/rounds/:round/open`. */
  readonly path: string;
  /** `admin`: a token with scope openbell:admin. `none`: anybody who reaches the port. */
  readonly access: 'admin' | 'none';
  readonly handler: (request: AdminRequest) => Promise<AdminResponse> | AdminResponse;
  /** Content types of a body, lower case. Without them a body is read and ignored. */
  readonly contentTypes?: readonly string[];
  /** Default: ADMIN_BODY_BYTES_MAX. */
  readonly bodyBytesMax?: number;
  /** Default: ADMIN_DEADLINE_MS. */
  readonly deadlineMs?: number;
  /** Names of request headers that the handler wants, lower case. */
  readonly headers?: readonly string[];
}

export type RouteMatch =
  | { readonly route: AdminRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly problem: Problem; readonly allow?: string };

/** Finds routes by path and method; a literal segment wins over a `:name`. */
export class AdminRouteTable {
  readonly #routes: readonly { readonly route: AdminRoute; readonly segments: readonly string[] }[];

  constructor(routes: readonly AdminRoute[]) {
    this.#routes = routes
      .map((route) => ({ route, segments: route.path.split('/') }))
      .sort((a, b) => variableCount(a.segments) - variableCount(b.segments));
  }

  /** The route and its params, or not-found or method-not-allowed. HEAD is answered by the GET route. */
  match(method: string, path: string): RouteMatch {
    const segments = path.split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    const allowed = new Set<string>();
    for (const candidate of this.#routes) {
      const params = matchSegments(candidate.segments, segments);
      if (params === null) continue;
      if (candidate.route.method === wanted) return { route: candidate.route, params };
      allowed.add(candidate.route.method);
    }
    if (allowed.size === 0) return { problem: { code: 'not-found' } };
    if (allowed.has('GET')) allowed.add('HEAD');
    return { problem: { code: 'method-not-allowed' }, allow: [...allowed].sort().join(', ') };
  }
}

const variableCount = (segments: readonly string[]): number =>
  segments.filter((segment) => segment.startsWith(':')).length;

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const actual = segments[index] ?? '';
    if (!expected.startsWith(':')) {
      if (actual !== expected) return null;
      continue;
    }
    if (actual === '') return null;
    try {
      params[expected.slice(1)] = decodeURIComponent(actual);
    } catch {
      // A malformed escape names nothing.
      return null;
    }
  }
  return params;
}
