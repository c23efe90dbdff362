// Assertions for programmer errors only. What a user, a peer or a disk can cause is a Result, never an assertion.

/** Thrown when the program itself is wrong; nothing catches it but the process boundary. */
class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws unless `condition` holds; a lazy message costs nothing while it does. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message());
}

/** The value, which the caller knows to be there. */
export function must<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) throw new AssertionError(`${name} must be present`);
  return value;
}
