// Our own files as the house rules see them: text, lines and syntax tree.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The repository, seen from the compiled test. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A TypeScript file of ours. */
export interface SourceFile {
  /** From the root, with slashes: `src/core/money.ts`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** Any text file of ours. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

const FOREIGN_FOLDERS = new Set(['node_modules', 'dist', 'data', '.git', '.cache']);
const BINARY = /\.(png|svg|ico|gz|woff2)$/;

function walk(folder: string, found: string[]): string[] {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (FOREIGN_FOLDERS.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) walk(path, found);
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

/** Every text file of the repository that is ours, not built, and not installed. */
export function textFiles(): TextFile[] {
  return walk(ROOT, [])
    .filter((path) => !BINARY.test(path) && !path.endsWith('.log'))
    .map((path) => ({ path: relative(ROOT, path), text: readFileSync(path, 'utf8') }));
}

/** A file as the rules read it; also how a rule's own test makes a bad one. */
export function parseSource(path: string, text: string): SourceFile {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true) };
}

/** Every TypeScript file of src, test and native-bench. */
export function sourceFiles(): SourceFile[] {
  return textFiles()
    .filter(({ path }) => /^(src|test|native-bench)\/.*\.ts$/.test(path))
    .map(({ path, text }) => parseSource(path, text));
}

/** Calls `visit` for every node of the tree. */
export function eachNode(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => eachNode(child, visit));
}

/** Line of a node, from 1. */
export function lineOf(file: SourceFile, node: ts.Node): number {
  return file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree)).line + 1;
}
