// The peers: other ways to keep the same promise, each as its own community would build it, and what each needs.

export type Store = 'none' | 'redis' | 'postgres';
export type Toolchain = 'node' | 'go' | 'rust';

export interface Peer {
  readonly name: string;
  /** What it is made of, for a reader of the results. */
  readonly title: string;
  readonly toolchain: Toolchain;
  readonly store: Store;
  /** The file in `node/` that is run; empty for the peers that are one binary. */
  readonly script: string;
}

export const PEERS: readonly Peer[] = [
  {
    name: 'fastify-redis',
    title: 'Fastify, Redis 7: Lua, appendfsync always, auto-pipelining',
    toolchain: 'node',
    store: 'redis',
    script: 'fastify-redis.mjs',
  },
  {
    name: 'fastify-postgres',
    title: 'Fastify, PostgreSQL 15: one function call a request',
    toolchain: 'node',
    store: 'postgres',
    script: 'fastify-postgres.mjs',
  },
  {
    name: 'fastify-postgres-batched',
    title: 'Fastify, PostgreSQL 15: micro-batches as arrays',
    toolchain: 'node',
    store: 'postgres',
    script: 'fastify-postgres-batched.mjs',
  },
  {
    name: 'node-sqlite',
    title: 'node:http, better-sqlite3: WAL, one transaction a loop turn',
    toolchain: 'node',
    store: 'none',
    script: 'node-sqlite.mjs',
  },
  {
    name: 'go',
    title: 'Go: fasthttp, group-committed log',
    toolchain: 'go',
    store: 'none',
    script: '',
  },
  {
    name: 'rust',
    title: 'Rust: hyper, group-committed log',
    toolchain: 'rust',
    store: 'none',
    script: '',
  },
];
