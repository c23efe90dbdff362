// Who may import whom. Imports go one way, so that each part can be read, tested and replaced without those above it.
// The rules are run, and shown to find something to check, by test/quality/imports.test.ts.

/** Each folder of src and the folders it may import, besides itself. A folder that is not here may not exist. */
const MAY_IMPORT = {
  core: [],
  http: ['core'],
  engines: ['core'],
  workers: ['core'],
  edge: ['workers', 'engines', 'http', 'core'],
  ledger: ['engines', 'http', 'core'],
  rush: ['core'],
  cli: ['rush', 'ledger', 'edge', 'workers', 'engines', 'http', 'core'],
};

const TEST = '\\.test\\.ts$';

const oneWay = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  name: `${folder}-imports-downwards`,
  comment: `src/${folder} may import ${allowed.join(', ') || 'nothing'} of ours`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...oneWay,
    {
      name: 'known-folders',
      comment: 'a new folder of src gets its line in MAY_IMPORT first',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${Object.keys(MAY_IMPORT).join('|')})/` },
      to: {},
    },
    {
      name: 'no-circular',
      comment: 'a circle has no first file to read; types may point back, code may not',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: TEST },
      to: { path: `^(test|native-bench)/|${TEST}` },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'only-declared-dependencies',
      comment: 'what is imported stands in package.json; what ships stands in its dependencies',
      severity: 'error',
      from: { path: '^src/', pathNot: TEST },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'sockets-in-the-main-thread',
      comment:
        'uWebSockets.js lives in the two folders that run in a main thread: a worker with open sockets cannot be ended',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(http|edge)/' },
      to: { path: 'uWebSockets', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'lmdb-has-its-places',
      comment: 'one writer per environment: the indexer of the edge, and the ledger',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(workers|ledger)/|${TEST}` },
      to: { path: 'node_modules/lmdb', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'core-is-pure',
      comment: 'no sockets, no threads, no files, no processes in core',
      severity: 'error',
      from: { path: '^src/core/', pathNot: TEST },
      to: {
        path: '^(node:)?(fs|net|http|https|dgram|tls|worker_threads|child_process|timers)',
        dependencyTypes: ['core'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // The Node.js peers have packages of their own, which are there only once they are built.
    exclude: { path: '^dist/|^native-bench/peers/node/' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
