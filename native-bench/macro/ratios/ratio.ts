// What every ratio of the benchmark is: a name, a target, and how it is measured.

import type { EdgeSettings, EdgeTarget, Target } from '../targets.js';

export interface Sizes {
  /** Of the comparisons: numbers of connections of R1 and R2. */
  readonly connections: readonly number[];
  /** Of every other load. */
  readonly loadConnections: number;
  /** Rounds A B B A. */
  readonly rounds: number;
  /** Of one block of load. */
  readonly seconds: number;
  /** More than the edge answers in a second: how long the request file is. */
  readonly perSecondMax: number;
  /** R8, R9: investors that the node knows, and those of them that have invested already. */
  readonly known: number;
  readonly admitted: number;
  /** R8: investors known to the edge that is compared with. */
  readonly knownBase: number;
  /** R10: rows of the journal at the start. */
  readonly journalRows: number;
  /** R12: of the steady load. */
  readonly steadySeconds: number;
  /** R4: requests of one block. */
  readonly sequential: number;
  /** R5: of one step of the search, and how often the search halves what is left. */
  readonly stepSeconds: number;
  readonly halvings: number;
  /** R3: connections, messages in flight on each, and more than are answered in a second. */
  readonly gateway: {
    readonly connections: number;
    readonly inFlight: number;
    readonly perSecondMax: number;
  };
  /** R9, R12: what the collector and the timers of a node are given to come to rest. */
  readonly restSeconds: number;
}

export const FULL: Sizes = {
  connections: [64, 256, 1_024],
  loadConnections: 256,
  rounds: 4,
  seconds: 4,
  perSecondMax: 100_000,
  known: 10_000_000,
  admitted: 1_000_000,
  knownBase: 100_000,
  journalRows: 1_000_000,
  steadySeconds: 10,
  sequential: 1_000,
  stepSeconds: 10,
  halvings: 5,
  gateway: { connections: 64, inFlight: 64, perSecondMax: 300_000 },
  restSeconds: 3,
};

/** A tenth where full size takes minutes. */
export const NORMAL: Sizes = {
  ...FULL,
  known: 1_000_000,
  admitted: 100_000,
  rounds: 3,
  seconds: 3,
  stepSeconds: 4,
};

/** That everything runs; figures mean nothing. Investors enough for three blocks of a second, however fast the machine. */
export const SMOKE: Sizes = {
  connections: [8],
  loadConnections: 16,
  rounds: 1,
  seconds: 1,
  perSecondMax: 80_000,
  known: 250_000,
  admitted: 2_000,
  knownBase: 80_000,
  journalRows: 3_000,
  steadySeconds: 3,
  sequential: 50,
  stepSeconds: 1,
  halvings: 1,
  gateway: { connections: 4, inFlight: 4, perSecondMax: 60_000 },
  restSeconds: 0.1,
};

/** What the measurements share: a scratch directory, ready requests, and servers that end with the run. */
export interface Bench {
  readonly dir: string;
  readonly sizes: Sizes;
  readonly log: (line: string) => void;
  /** The file of ready requests, written once; each from another investor with another token and key. */
  requests(): RequestSet;
  /** A fresh edge that has been shown to sync before it answers, with one open round, ROUND. */
  edge(name: string, settings?: EdgeSettings): Promise<EdgeTarget>;
  /** The constant server, answering what an edge answers to an admission. */
  constant(): Promise<Target>;
}

export interface RequestSet {
  readonly file: string;
  readonly records: number;
  readonly recordBytes: number;
}

/** The round of every bench edge, and what each investment of it is, in minor units. */
export const ROUND = 'bench';
export const AMOUNT = 50_000;
export const LABEL = 'bench';

/** One line of the table. */
export interface Reached {
  /** R1 to R12. */
  readonly id: string;
  readonly what: string;
  readonly target: { readonly is: 'at least' | 'more than' | 'at most'; readonly value: number };
  readonly value: number;
  /** The spread, where the figure is a median. */
  readonly low?: number;
  readonly high?: number;
}

export interface Measured {
  readonly reached: readonly Reached[];
  /** Everything that the figures come from, for the JSON file. */
  readonly detail: unknown;
  /** Remarks for the reader: what the figures rest on. */
  readonly notes?: readonly string[];
  /** What could not be measured on this host, and why. */
  readonly missing?: readonly string[];
}

export interface Ratio {
  /** As on the command line: `r1`. */
  readonly ids: readonly string[];
  readonly title: string;
  readonly measure: (bench: Bench) => Promise<Measured>;
}

export function isReached({ target, value }: Reached): boolean {
  switch (target.is) {
    case 'at least':
      return value >= target.value;
    case 'more than':
      return value > target.value;
    case 'at most':
      return value <= target.value;
  }
}
