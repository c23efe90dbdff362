// How each run of the chaos tests ends: an audit with both processes running, an orderly stop, a check of the files.

import type { Exit } from '../harness/node-process.js';

export interface EndingWorld {
  /** Runs an `openbell` command to its end. */
  command(args: readonly string[]): Promise<Exit & { readonly stdout: string; readonly stderr: string }>;
  /** What stops with SIGTERM, in order, by name. */
  readonly stops: readonly (readonly [name: string, stop: () => Promise<Exit>])[];
  log(text: string): void;
}

/** `openbell audit`, then every process is stopped, then `openbell journal verify`: what of it did not exit with 0. */
export async function endInOrder(world: EndingWorld): Promise<string[]> {
  const problems = await runCheck(world, ['audit']);
  for (const [name, stop] of world.stops) {
    const { code, signal } = await stop();
    if (code !== 0) problems.push(`${name} ended with ${code ?? signal} after SIGTERM`);
  }
  return [...problems, ...(await runCheck(world, ['journal', 'verify']))];
}

/** A command that has to exit with 0; what it said if it does not. */
export async function runCheck(
  { command, log }: Pick<EndingWorld, 'command' | 'log'>,
  args: readonly string[],
): Promise<string[]> {
  const name = `openbell ${args.join(' ')}`;
  const { code, stdout, stderr } = await command(args);
  log(`${name}: exit ${code}`);
  return code === 0 ? [] : [`${name}: exit ${code}\n${stdout}${stderr}`];
}
