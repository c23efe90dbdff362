// One line of `openbell doctor`.

export interface Finding {
  /** What was looked at, in a word or two. */
  readonly name: string;
  readonly level: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do, unless all is well. */
  readonly fix?: string;
}

export const good = (name: string, detail: string): Finding => ({ name, level: 'ok', detail });

export const doubtful = (name: string, detail: string, fix: string): Finding => ({
  name,
  level: 'warn',
  detail,
  fix,
});

export const bad = (name: string, detail: string, fix: string): Finding => ({
  name,
  level: 'fail',
  detail,
  fix,
});
