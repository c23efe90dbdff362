// House rules about code, each a function from a file's syntax tree to what is wrong in it.

import ts from 'typescript';
import { eachNode, lineOf, type SourceFile } from './source-files.js';

/** What a rule has against a file: `line: what`. */
export type Finding = string;

export interface CodeRule {
  readonly name: string;
  readonly why: string;
  readonly applies: (path: string) => boolean;
  readonly find: (file: SourceFile) => Finding[];
  /** Code that breaks the rule, so that a rule that finds nothing is noticed. */
  readonly bad: string;
  /** Files that may break it, each with its reason. */
  readonly except?: Readonly<Record<string, string>>;
}

const isTest = (path: string): boolean => path.endsWith('.test.ts');
const isProduct = (path: string): boolean => path.startsWith('src/') && !isTest(path);
const everywhere = (): boolean => true;

/** Findings for every node that `judge` has something to say about. */
function perNode(judge: (node: ts.Node, file: SourceFile) => string | undefined): CodeRule['find'] {
  return (file) => {
    const findings: Finding[] = [];
    eachNode(file.tree, (node) => {
      const what = judge(node, file);
      if (what !== undefined) findings.push(`${lineOf(file, node)}: ${what}`);
    });
    return findings;
  };
}

/** `a.b.c` of a callee or access made of plain names, else the empty string. */
function dotted(node: ts.Node): string {
  if (ts.isIdentifier(node)) return node.text;
  if (!ts.isPropertyAccessExpression(node)) return '';
  const left = dotted(node.expression);
  return left === '' ? '' : `${left}.${node.name.text}`;
}

/** Findings for every call, or `new`, of one of these names. */
function forbidCalls(...names: readonly string[]): CodeRule['find'] {
  return perNode((node) => {
    if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return undefined;
    const name = dotted(node.expression);
    return names.includes(name) ? `${name}()` : undefined;
  });
}

/** `new Promise((resolve) => setTimeout(resolve, ms))`: the sleep in its usual clothes. */
function isSleep(node: ts.Node): boolean {
  if (!ts.isCallExpression(node) || dotted(node.expression) !== 'setTimeout') return false;
  const [callback] = node.arguments;
  if (callback === undefined || !ts.isIdentifier(callback)) return false;
  for (let up: ts.Node | undefined = node.parent; up !== undefined; up = up.parent) {
    if (!ts.isArrowFunction(up) && !ts.isFunctionExpression(up)) continue;
    return up.parameters.some((parameter) => dotted(parameter.name) === callback.text);
  }
  return false;
}

const hasModifier = (node: ts.Node, kind: ts.SyntaxKind): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false);

/** A comment at the end of the node's first line, or on the line above it. */
function hasCommentBeside(file: SourceFile, node: ts.Node): boolean {
  const line = lineOf(file, node);
  const [above, first] = file.text.split('\n').slice(Math.max(0, line - 2), line);
  return /\/\/ |\*\/$/.test(`${first}`) || /^\s*(\/\/|\*|\/\*)/.test(`${above}`);
}

const isTrue = (node: ts.Expression | undefined): boolean =>
  node === undefined || node.kind === ts.SyntaxKind.TrueKeyword;

export const CODE_RULES: readonly CodeRule[] = [
  {
    name: 'no parseFloat',
    why: 'money is an integer of the minor unit, and nothing else here is a fraction that arrives as text',
    applies: everywhere,
    find: forbidCalls('parseFloat', 'Number.parseFloat'),
    bad: 'export const amount = parseFloat("1.5");',
  },
  {
    name: 'no Number() where money lives',
    why: 'Number() takes "", " 1e3" and "0x10" for numbers: amounts are parsed strictly, and 64-bit fields by their reader',
    applies: (path) => isProduct(path) && /^src\/(core|workers|ledger)\//.test(path),
    find: forbidCalls('Number'),
    bad: 'export const amount = Number(text);',
    except: {
      'src/core/little-endian.ts': 'turns 64-bit words into numbers, and refuses those past 2^53-1',
      'src/core/counters.ts': 'BigInt words of shared memory, which never hold more than a cap',
      'src/workers/shard-stats.ts': 'BigInt words of shared memory, which only count',
    },
  },
  {
    name: 'no clock and no chance in core',
    why: 'time is passed in: a decision must be repeatable from the journal',
    applies: (path) => path.startsWith('src/core/') && !isTest(path),
    find: perNode((node) => {
      const name = ts.isPropertyAccessExpression(node) ? dotted(node) : '';
      if (/^(Date\.now|performance\.now|process\.hrtime|Math\.random)$/.test(name)) return name;
      if (
        ts.isNewExpression(node) &&
        dotted(node.expression) === 'Date' &&
        (node.arguments?.length ?? 0) === 0
      ) {
        return 'new Date()';
      }
      const called = ts.isCallExpression(node) ? dotted(node.expression) : '';
      return /^set(Timeout|Interval|Immediate)$/.test(called) ? `${called}()` : undefined;
    }),
    bad: 'export const now = () => Date.now();',
  },
  {
    name: 'no barrels',
    why: 'a name is imported from the file that explains it',
    applies: everywhere,
    find: perNode((node) =>
      ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined ? 're-export' : undefined,
    ),
    bad: "export * from './money.js';",
  },
  {
    name: 'no default exports',
    why: 'a thing has one name, the same wherever it is used',
    applies: everywhere,
    find: perNode((node) =>
      (ts.isExportAssignment(node) && !node.isExportEquals) || hasModifier(node, ts.SyntaxKind.DefaultKeyword)
        ? 'default export'
        : undefined,
    ),
    bad: 'export default function decide() {}',
  },
  {
    name: 'a loop without a condition says what ends it',
    why: 'every loop has its bound in its head, or a comment beside it that names the bound',
    applies: isProduct,
    find: perNode((node, file) => {
      const isEndless =
        ((ts.isWhileStatement(node) || ts.isDoStatement(node)) && isTrue(node.expression)) ||
        (ts.isForStatement(node) && isTrue(node.condition));
      return isEndless && !hasCommentBeside(file, node) ? 'an endless loop' : undefined;
    }),
    bad: 'while (true) step();',
  },
  {
    name: 'no sleep in a test',
    why: 'a test that waits for the clock is slow when it passes and wrong when the machine is busy: wait for the event',
    applies: isTest,
    find: perNode((node) => {
      if (
        ts.isImportDeclaration(node) &&
        /["'](node:)?timers\/promises["']/.test(node.moduleSpecifier.getText())
      ) {
        return 'timers/promises';
      }
      return isSleep(node) ? 'setTimeout(resolve, …)' : undefined;
    }),
    bad: 'await new Promise((resolve) => setTimeout(resolve, 100));',
  },
  {
    name: 'no test alone',
    why: '.only turns all other tests off',
    applies: isTest,
    find: perNode((node) => {
      const name = ts.isCallExpression(node) ? dotted(node.expression) : '';
      return /^(test|it|describe|suite|t)\.only$/.test(name) ? name : undefined;
    }),
    bad: "test.only('one', () => {});",
  },
  {
    name: 'a skipped test says what it needs',
    why: 'the runner lists every skip with its reason',
    applies: isTest,
    find: perNode((node) =>
      ts.isPropertyAssignment(node) && dotted(node.name) === 'skip' && isTrue(node.initializer)
        ? 'skip: true'
        : undefined,
    ),
    bad: "test('later', { skip: true }, () => {});",
  },
  {
    name: 'every test file asserts',
    why: 'a test that cannot fail is not one',
    applies: isTest,
    find: (file) => {
      let asserts = 0;
      eachNode(file.tree, (node) => {
        if (ts.isCallExpression(node) && /^(assert|fc)\b|\bassert/i.test(dotted(node.expression)))
          asserts += 1;
      });
      return asserts > 0 ? [] : ['1: no assertion'];
    },
    bad: "test('runs', () => { run(); });",
  },
];
