// "Did you mean …?": the known name that a mistyped one is closest to.

/**
 * Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment).
 * `rows[i][j]` is the distance between the first i characters of one and the first j of the other.
 */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!;
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min(above[j]! + 1, row[j - 1]! + 1, substituted);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) distance = Math.min(distance, rows[i - 2]![j - 2]! + 1);
      row.push(distance);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

const TYPED_CHARACTERS_MAX = 100;

const plain = (word: string): string => word.toLowerCase().replaceAll(/[_-]/g, '');

/** The name closest to `typed`, case and separators apart, or null when none is close enough to be meant. */
export function nearest(typed: string, names: Iterable<string>): string | null {
  if (typed.length > TYPED_CHARACTERS_MAX) return null;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(plain(typed), plain(name));
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}
