// Exit codes of every command, after sysexits.h, so that a supervisor can tell "fix the config" from "try again".

export const EXIT = {
  done: 0,
  /** A check ran and found something wrong. */
  checkFailed: 1,
  /** EX_USAGE */
  usage: 64,
  /** EX_UNAVAILABLE: a service is unreachable. */
  unavailable: 69,
  /** EX_SOFTWARE */
  internal: 70,
  /** EX_TEMPFAIL */
  tryAgain: 75,
  /** EX_CONFIG */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
