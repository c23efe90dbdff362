// What commands print on stdout: aligned tables for people, JSON for programs.

/** One JSON value, indented on a terminal, on one line elsewhere. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, process.stdout.isTTY ? 2 : undefined)}\n`);
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Rows under a header; numbers are aligned to the right. */
export function printTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const widths = header.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => String(row[i] ?? '').length)),
  );
  const line = (cells: readonly (string | number)[]): string =>
    cells
      .map((cell, i) =>
        typeof cell === 'number' ? String(cell).padStart(widths[i]!) : cell.padEnd(widths[i]!),
      )
      .join('  ')
      .trimEnd();
  const aligned = header.map((name, i) =>
    typeof rows[0]?.[i] === 'number' ? name.padStart(widths[i]!) : name,
  );
  for (const row of [aligned, ...rows]) printLine(line(row));
}

/** How this program was called, for lines that are to be pasted. */
export function programName(): string {
  const called = process.argv[1] ?? '';
  if (!called.endsWith('.js')) return 'openbell';
  const here = `${process.cwd()}/`;
  return `node ${called.startsWith(here) ? called.slice(here.length) : called}`;
}
