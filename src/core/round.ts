// A funding round: its definition, its stored states and the transitions between them.

/** Stored states; `full` is a state of the moment, derived from the room that is left. */
export type RoundState = 'scheduled' | 'open' | 'paused' | 'closed';

export const ROUND_STATES: readonly RoundState[] = ['scheduled', 'open', 'paused', 'closed'];

export interface RoundDefinition {
  /** 1..ROUNDS_MAX: its slot in shared memory and its number in the journal. */
  readonly number: number;
  readonly id: string;
  readonly name: string;
  /** ISO 4217. */
  readonly currency: string;
  /** Minor units, as are minimum and maximum (of one investment). */
  readonly cap: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Milliseconds since the epoch; null: by hand. */
  readonly opensAt: number | null;
  readonly closesAt: number | null;
  /** What an investor without a cached balance meets. */
  readonly unknownBalance: 'refuse' | 'allow';
  readonly state: RoundState;
}

export type RoundChange = 'created' | 'opened' | 'paused' | 'resumed' | 'closed' | 'amended';

export const ROUND_CHANGES: readonly RoundChange[] = [
  'created',
  'opened',
  'paused',
  'resumed',
  'closed',
  'amended',
];

export const ROUND_ID_PATTERN = /^[a-z0-9-]{1,40}$/;
