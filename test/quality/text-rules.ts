// House rules about text: what may not stand in any file of the repository, code or not.

import type { TextFile } from './source-files.js';

/** A longer file has more than one subject. */
const LINES_MAX = 300;
/** Cases are read one at a time, so a test may be longer. */
const TEST_LINES_MAX = 400;
/** Files with a bound of their own, each with its reason. */
const LINES_MAX_OF: Readonly<Record<string, number>> = {
  'src/core/limits.ts': 600, // a list, not a program: all bounds in one place is its whole point
};

export interface TextRule {
  readonly name: string;
  readonly why: string;
  readonly applies: (path: string) => boolean;
  readonly find: (file: TextFile) => string[];
  /** A file that breaks the rule. */
  readonly bad: TextFile;
}

const isTypeScript = (path: string): boolean => /^(src|test|native-bench)\/.*\.ts$/.test(path);
/** Not by hand: the lock file, and figures that a benchmark wrote. */
const isWritten = (path: string): boolean =>
  path !== 'package-lock.json' && !path.startsWith('native-bench/results/');
const isTest = (path: string): boolean => path.endsWith('.test.ts');
const isDeclaration = (path: string): boolean => path.endsWith('.d.ts');

function forbid(pattern: RegExp): TextRule['find'] {
  return ({ text }) =>
    text.split('\n').flatMap((line, index) => {
      const match = pattern.exec(line);
      return match ? [`${index + 1}: ${match[0].trim()}`] : [];
    });
}

// Written in two halves, so that this file does not break its own rules.
const word = (...halves: readonly string[]): string => halves.join('');
const LATER = [word('TO', 'DO'), word('FIX', 'ME'), word('XX', 'X'), word('HA', 'CK')];
const MACHINE_PATHS = [word('/wo', 'rk'), word('/ro', 'ot'), word('/ho', 'me'), word('/Us', 'ers')];
const REGISTRIES = [
  word('registry', '.npmjs'),
  word('registry', '.yarnpkg'),
  word('pypi', '.org'),
  word('crates', '.io/api'),
  word('proxy', '.golang'),
  word('deb', '.debian'),
];
const WORKPLACE = [
  word('shared/', 'DESIGN'),
  word('shared/', 'CONTRACT'),
  word('shared/', 'STYLE'),
  word('PLAN', '\\.md'),
  word('DESIGN', '\\.md'),
  word('CONTRACT', '\\.md'),
  word('\\.lib', 'rary'),
];

export const TEXT_RULES: readonly TextRule[] = [
  {
    name: 'nothing left for later',
    why: 'what is not done is an issue, not a comment',
    applies: isWritten,
    find: forbid(new RegExp(`\\b(${LATER.join('|')})\\b`)),
    bad: { path: 'src/core/a.ts', text: `// ${LATER[0]}: round up` },
  },
  {
    name: 'no path of one machine',
    why: 'a clone stands anywhere',
    applies: isWritten,
    find: forbid(new RegExp(`(?<![\\w.~}$*])(${MACHINE_PATHS.join('|')})/[\\w.]`)),
    bad: { path: 'docs/a.md', text: `see ${MACHINE_PATHS[0]}/main/src` },
  },
  {
    name: 'no registry by host',
    why: 'packages come by name through the client that the machine has set up',
    applies: () => true,
    find: forbid(new RegExp(REGISTRIES.map((host) => host.replace('.', '\\.')).join('|'))),
    bad: { path: 'package-lock.json', text: `"resolved": "https://${REGISTRIES[0]}.org/lmdb"` },
  },
  {
    name: 'nothing that a clone does not have',
    why: 'a reference must lead somewhere for whoever reads it',
    applies: isWritten,
    find: forbid(new RegExp(WORKPLACE.join('|'))),
    bad: { path: 'src/core/a.ts', text: `// as ${WORKPLACE[0]}.md says` },
  },
  {
    name: `at most ${LINES_MAX} lines`,
    why: 'one subject a file, read in one go',
    applies: isTypeScript,
    find: ({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      const max = LINES_MAX_OF[path] ?? (isTest(path) ? TEST_LINES_MAX : LINES_MAX);
      return lines > max ? [`${lines} lines, at most ${max}`] : [];
    },
    bad: { path: 'src/core/a.ts', text: 'a();\n'.repeat(LINES_MAX + 1) },
  },
  {
    name: 'a file starts by saying what it is for',
    why: 'the first line is what a newcomer reads',
    applies: (path) => isTypeScript(path) && !isDeclaration(path) && !isTest(path),
    find: ({ text }) =>
      /^(#!.*\n)?(\/\/|\/\*\*?) ?\S.{15}/.test(text) ? [] : [`1: ${text.slice(0, 40).split('\n')[0]}`],
    bad: { path: 'src/core/a.ts', text: "import { ok } from './result.js';" },
  },
  {
    name: 'file names in kebab-case',
    why: 'one way to spell a path, on every file system',
    applies: isTypeScript,
    find: ({ path }) =>
      path.split('/').every((part) => /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.?(ts)?$/.test(part))
        ? []
        : ['its name'],
    bad: { path: 'src/core/roundState.ts', text: '' },
  },
];
