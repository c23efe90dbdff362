// Builds the peers (`npm run build:peers`): npm packages beside their sources, binaries in .cache/peers. A build that is
// up to date costs next to nothing, so whoever runs a peer builds it first.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { toolPath } from '../../test/harness/tools.js';
import { PEERS, type Peer, type Toolchain } from './peer-list.js';
import { postgresTool } from './services.js';

/** The sources: what is not TypeScript is run, or built, from there. */
export const PEERS_DIR = fileURLToPath(new URL('../../../native-bench/peers', import.meta.url));
const OUT_DIR = fileURLToPath(new URL('../../../.cache/peers', import.meta.url));
const BUILD_TIMEOUT_MS = 15 * 60_000;

export const BINARIES = { go: join(OUT_DIR, 'peer-go'), rust: join(OUT_DIR, 'rust/release/peer-rust') };
const NPM_STAMP = join(PEERS_DIR, 'node_modules/.openbell-stamp');

function run(command: string, args: readonly string[], folder: string, env: NodeJS.ProcessEnv): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: join(PEERS_DIR, folder),
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: BUILD_TIMEOUT_MS,
  });
  if (error !== undefined || status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? status}\n${stdout}${stderr}`);
  }
}

/** better-sqlite3 is compiled: against the headers that came with this Node.js, where they did. */
function headersDir(): NodeJS.ProcessEnv {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node.h')) ? { npm_config_nodedir: prefix } : {};
}

function npmStamp(): string {
  const lock = readFileSync(join(PEERS_DIR, 'package-lock.json'));
  return createHash('sha256').update(lock).update(process.version).digest('hex');
}

function buildNode(): void {
  const stamp = npmStamp();
  if (existsSync(NPM_STAMP) && readFileSync(NPM_STAMP, 'utf8') === stamp) return;
  run('npm', ['ci', '--no-audit', '--no-fund'], '.', headersDir());
  writeFileSync(NPM_STAMP, stamp);
}

function buildGo(): void {
  mkdirSync(OUT_DIR, { recursive: true });
  // GOAMD64=v3 would leave older machines out; SHA-NI is found at run time without it.
  run('go', ['build', '-trimpath', '-o', BINARIES.go, '.'], 'go', { GOFLAGS: '-mod=readonly' });
}

function buildRust(): void {
  mkdirSync(OUT_DIR, { recursive: true });
  const args = ['build', '--release', '--locked', '--quiet', '--target-dir', join(OUT_DIR, 'rust')];
  run('cargo', args, 'rust', {});
}

const BUILDS: Readonly<Record<Toolchain, () => void>> = { node: buildNode, go: buildGo, rust: buildRust };
const IS_BUILT: Readonly<Record<Toolchain, () => boolean>> = {
  node: () => existsSync(NPM_STAMP),
  go: () => existsSync(BINARIES.go),
  rust: () => existsSync(BINARIES.rust),
};
const COMMANDS: Readonly<Record<Toolchain, readonly string[]>> = {
  node: ['npm', 'make', 'g++', 'python3'],
  go: ['go'],
  rust: ['cargo'],
};

/** The tools that this host lacks to build and run the peer. */
export function missingTools(peer: Peer): string[] {
  const missing = COMMANDS[peer.toolchain].filter((name) => toolPath(name) === undefined);
  if (peer.store === 'redis' && toolPath('redis-server') === undefined) missing.push('redis-server');
  if (peer.store === 'postgres' && postgresTool('postgres') === undefined) missing.push('PostgreSQL 15');
  return missing;
}

/** Brings the peer up to date. Throws with the output of a build that fails. */
export function buildPeer(peer: Peer): void {
  BUILDS[peer.toolchain]();
}

/**
 * For `{ skip }` of a test: why the peer does not run here, or false. A first build fetches packages and takes minutes,
 * so a test run does not start it by itself, except where every tool is required.
 */
export function skipPeer(peer: Peer): string | false {
  if (process.env['REQUIRE_ENGINES'] === '1') return false;
  const missing = missingTools(peer);
  if (missing.length > 0) return `needs ${missing.join(', ')}`;
  return IS_BUILT[peer.toolchain]() ? false : 'not built: npm run build:peers';
}

function main(): void {
  for (const peer of PEERS) {
    const missing = missingTools(peer);
    const startedMs = performance.now();
    if (missing.length > 0) {
      console.log(`${peer.name}: needs ${missing.join(', ')}`);
      continue;
    }
    buildPeer(peer);
    console.log(`${peer.name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
