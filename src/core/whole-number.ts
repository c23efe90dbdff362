// Whole numbers that arrive as text, read strictly: digits only, so that neither a sign nor a point, an exponent or a
// space can turn into a number by accident.

/** More digits than 2^53-1 has cannot be exact. */
const DIGITS_MAX = 16;

/** The number that 1 to 16 digits stand for, or null; above 2^53-1 it is not exact, so check it as an amount. */
export function wholeNumber(text: string): number | null {
  if (text.length === 0 || text.length > DIGITS_MAX) return null;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return value;
}
