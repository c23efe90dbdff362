// The tables of the ledger's books in Cassandra. `ledger_log` is the truth; every other table is made from it, and can be
// dropped and made again.
//
//   ledger_log        every change of the books, in order: one row a record, appended by lightweight transaction
//   ledger_accounts   an account (static columns) and its entries, newest first; a long account has several parts
//   ledger_decisions  what each id has been used for: an investment and its outcome, or a transfer by hand
//   ledger_outcomes   outcomes in the order of their settlement
//   ledger_rounds     cap, totals and epoch of each round
//   ledger_outbox     investors whose balance the edge has yet to hear
//   ledger_state      how far the tables are, and the sums that belong to it
//
// Every row but those of the log is written with its position in the log as the timestamp (see ledger/cassandra-tables.ts).

/** The second migration (schema.ts); each may be applied again. */
export const LEDGER_TABLES: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS ledger_log (
    bucket bigint, position bigint, writer uuid, first bigint, parts int, body blob,
    PRIMARY KEY (bucket, position))`,
  `CREATE TABLE IF NOT EXISTS ledger_accounts (
    account text, part int, version bigint,
    currency text static, balance bigint static, eligible boolean static, account_version bigint static,
    outbox bigint static, as_of bigint static,
    id text, amount bigint, balance_after bigint, counterparty text, at timestamp, position bigint,
    PRIMARY KEY ((account, part), version)) WITH CLUSTERING ORDER BY (version DESC)`,
  `CREATE TABLE IF NOT EXISTS ledger_decisions (
    prefix text, id text, kind text, from_account text, to_account text, amount bigint, currency text, at timestamp,
    round text, investor text, sequence bigint, reason text, balance bigint, balance_version bigint, eligible boolean,
    position bigint,
    PRIMARY KEY (prefix, id))`,
  `CREATE TABLE IF NOT EXISTS ledger_outcomes (bucket bigint, position bigint, outcome blob, PRIMARY KEY (bucket, position))`,
  `CREATE TABLE IF NOT EXISTS ledger_rounds (
    round text PRIMARY KEY, cap bigint, settled bigint, settled_count bigint, declined frozen<list<bigint>>,
    declined_count frozen<list<bigint>>, transferred bigint, epoch bigint)`,
  `CREATE TABLE IF NOT EXISTS ledger_outbox (bucket bigint, position bigint, investor text, PRIMARY KEY (bucket, position))`,
  `CREATE TABLE IF NOT EXISTS ledger_state (name text PRIMARY KEY, position bigint, body blob)`,
];
