// What may happen to a node of admission, as fast-check values: small numbers of investors, keys and rounds, so that
// everything meets everything.

import fc from 'fast-check';
import type { RoundDefinition } from '../../src/core/round.js';

export const INVESTORS = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gus'] as const;
/** The ledger's account of an investor has one currency. */
export const currencyOf = (investor: string): string => (investor === 'gus' ? 'EUR' : 'GBP');
const ROUND_NUMBERS = [1, 2, 3] as const;
/** Rounds of few investments, so that they get full: of two currencies, and one that takes strangers. */
export const FIRST_ROUNDS: readonly RoundDefinition[] = ROUND_NUMBERS.map((number) => ({
  number,
  id: `round-${number}`,
  name: 'A round',
  currency: number === 3 ? 'EUR' : 'GBP',
  cap: 9_000,
  minimum: 1_000,
  maximum: 4_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: number === 2 ? 'allow' : 'refuse',
  state: 'open',
}));

export type Flaw = 'none' | 'bad-token' | 'bad-key' | 'bad-body' | 'unknown-round' | 'other-currency';
export type Way = 'http-json' | 'http-msgpack' | 'live-json' | 'live-msgpack';

export interface AskCommand {
  readonly ask: 'invest' | 'one' | 'list';
  readonly investor: string;
  readonly round: number;
  readonly key: number;
  readonly amount: number;
  readonly way: Way;
  readonly flaw: Flaw;
  /** Put into the queue of a shard that does not own the investor. */
  readonly astray: boolean;
}

export interface OutcomeCommand {
  /** Which verdict, as a fraction of those there are, or none that exists. */
  readonly which: number;
  readonly unknown: boolean;
  readonly settled: boolean;
  readonly balance: number;
  /** Above the version that is known: 0 is one that is known already. */
  readonly versionStep: number;
  readonly eligible: boolean;
  readonly otherAmount: boolean;
}

export interface BalanceCommand {
  readonly investor: string;
  readonly balance: number;
  readonly eligible: boolean;
  readonly versionStep: number;
}

export type Command =
  | { readonly type: 'batch'; readonly asks: readonly AskCommand[] }
  | { readonly type: 'outcomes'; readonly outcomes: readonly OutcomeCommand[] }
  | { readonly type: 'state'; readonly round: number; readonly state: 'open' | 'paused' | 'closed' }
  | { readonly type: 'raise'; readonly round: number; readonly by: number }
  | { readonly type: 'import'; readonly balances: readonly BalanceCommand[] }
  | { readonly type: 'ledger-balances'; readonly balances: readonly BalanceCommand[] }
  | { readonly type: 'catch-up'; readonly rows: number }
  | { readonly type: 'time'; readonly ms: number }
  | { readonly type: 'restart'; readonly how: 'clean' | 'crash'; readonly loseIndex: boolean };

const investor = fc.constantFrom(...INVESTORS);
const round = fc.constantFrom(...ROUND_NUMBERS);
const balance = fc.constantFrom(0, 1_000, 2_500, 5_000, 9_000);

const ask: fc.Arbitrary<AskCommand> = fc.record({
  ask: fc.constantFrom('invest', 'invest', 'invest', 'invest', 'invest', 'invest', 'one', 'list'),
  investor,
  round,
  key: fc.nat({ max: 5 }),
  amount: fc.constantFrom(1_000, 1_000, 1_500, 2_000, 4_000, 999, 4_001),
  way: fc.constantFrom('http-json', 'http-msgpack', 'live-json', 'live-msgpack'),
  flaw: fc.constantFrom(
    ...new Array<Flaw>(14).fill('none'),
    ...(['bad-token', 'bad-key', 'bad-body', 'unknown-round', 'other-currency'] as const),
  ),
  astray: fc.nat({ max: 9 }).map((n) => n === 0),
});

const outcome: fc.Arbitrary<OutcomeCommand> = fc.record({
  which: fc.double({ min: 0, max: 0.999, noNaN: true }),
  unknown: fc.nat({ max: 19 }).map((n) => n === 0),
  settled: fc.boolean(),
  balance,
  versionStep: fc.nat({ max: 2 }),
  eligible: fc.nat({ max: 9 }).map((n) => n > 0),
  otherAmount: fc.nat({ max: 29 }).map((n) => n === 0),
});

const balanceCommand: fc.Arbitrary<BalanceCommand> = fc.record({
  investor,
  balance,
  eligible: fc.nat({ max: 7 }).map((n) => n > 0),
  versionStep: fc.constantFrom(-1, 1, 2),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('batch' as const),
      asks: fc.array(ask, { minLength: 1, maxLength: 12 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('outcomes' as const),
      outcomes: fc.array(outcome, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('state' as const),
      round,
      state: fc.constantFrom('paused' as const, 'open' as const, 'open' as const, 'closed' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('raise' as const), round, by: fc.constantFrom(500, 3_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('import' as const),
      balances: fc.array(balanceCommand, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('ledger-balances' as const),
      balances: fc.array(balanceCommand, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('catch-up' as const), rows: fc.constantFrom(1, 3, 1_000_000) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('time' as const), ms: fc.nat({ max: 5_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('restart' as const),
      how: fc.constantFrom('clean' as const, 'crash' as const),
      loseIndex: fc.nat({ max: 5 }).map((n) => n === 0),
    }),
  },
);

export interface Scenario {
  readonly shards: number;
  readonly commands: readonly Command[];
}

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  shards: fc.integer({ min: 1, max: 3 }),
  commands: fc.array(command, { minLength: 1, maxLength: 40, size: 'max' }),
});

const ask0 = { ask: 'invest', key: 0, amount: 1_000, way: 'http-json', flaw: 'none', astray: false } as const;
const told = { investor: 'gus', balance: 9_000, eligible: true, versionStep: 0 };

/** What has gone wrong once. */
export const EXAMPLES: readonly [Scenario][] = [
  [
    {
      // An outcome in a round of another currency than the account's must not change the account's currency.
      shards: 1,
      commands: [
        { type: 'batch', asks: [{ ...ask0, investor: 'gus', round: 2 }] },
        { type: 'import', balances: [told] },
        {
          type: 'outcomes',
          outcomes: [
            {
              which: 0,
              unknown: false,
              settled: false,
              balance: 9_000,
              versionStep: 1,
              eligible: true,
              otherAmount: false,
            },
          ],
        },
        { type: 'batch', asks: [{ ...ask0, investor: 'gus', round: 3, key: 1 }] },
      ],
    },
  ],
];
