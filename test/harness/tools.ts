// Tools of the host that some tests need. A test without its tool is skipped with a reason, which the runner lists;
// where REQUIRE_ENGINES=1 every tool must be there, so there it runs, and fails.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where .ci/run installs tools that are not the host's. */
const OWN_TOOLS = fileURLToPath(new URL('../../../.cache/tools/bin', import.meta.url));

/** The path of an executable, or undefined. */
export function toolPath(name: string): string | undefined {
  const folders = [OWN_TOOLS, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false; // not there, or not for us
      }
    });
}

/** For `{ skip }` of a test: why it can not run here, or false. */
export function skipWithout(name: string): string | false {
  if (process.env['REQUIRE_ENGINES'] === '1' || toolPath(name) !== undefined) return false;
  return `needs ${name}`;
}
