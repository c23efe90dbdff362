// Runs a load generator of ours as a process of its own.

import { spawn } from 'node:child_process';

/** Hands it its options as JSON; resolves to the JSON that it prints. Throws when it fails, or takes longer. */
export async function runGenerator<T>(file: string, options: object, timeoutS: number): Promise<T> {
  const child = spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutS * 1_000,
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`the generator exited with ${code}\n${errors}`);
  return JSON.parse(output) as T;
}
