// Every bound of the system, with its reason. Relations between bounds are checked when this file is loaded.

import { assert } from './assert.js';

// --- Identity and requests ---------------------------------------------------------------------------------

/** The contract's bound of a token's `sub`. */
export const INVESTOR_BYTES_MAX = 128;
/** The contract's bound of an Idempotency-Key. */
export const IDEMPOTENCY_KEY_BYTES_MAX = 64;
/** A public request's body; an investment is about 40 bytes, so this is generous and still cheap to hold. */
export const BODY_BYTES_MAX = 4096;
/** A bearer token; RS256 with many claims stays below, and a slab must hold thousands of them. */
export const TOKEN_BYTES_MAX = 4096;
/** What uWebSockets.js accepts as a whole request head before it answers 431 by itself. */
export const HEADER_BYTES_MAX = 16_384;
/** Rounds of one node: each has a slot of shared memory and every one is listed in one answer. */
export const ROUNDS_MAX = 64;
/** A list answer holds at most this many of the caller's investments, newest first. */
export const LIST_ITEMS_MAX = 200;

// --- Admission ---------------------------------------------------------------------------------------------

/** Bytes of requests in one batch; a few thousand requests, so that one fdatasync pays for many. */
export const BATCH_BYTES_MAX = 1_048_576;
/** Requests in one batch: bounds the time between the first decision and the sync. */
export const BATCH_REQUESTS_MAX = 2_048;
/** Requests that wait for one shard before new ones are answered `overloaded`. */
export const SHARD_QUEUE_REQUESTS_MAX = 16_384;
/** Batches handed to a shard and not yet answered. One more than it works on, so that it never waits for the front end. */
export const SHARD_BATCHES_IN_FLIGHT_MAX = 2;
/** A request older than this without a verdict is answered `overloaded`: unknown, ask again. */
export const REQUEST_DEADLINE_MS = 30_000;
/** Investors that a shard keeps in memory beside those whose rows are not indexed yet. */
export const SHARD_INVESTORS_CACHED_MAX = 65_536;
/** Rows that the index may lag behind the journal before admission answers `overloaded`. */
export const INDEX_LAG_ROWS_MAX = 1_000_000;
/** Verified tokens kept per shard, by hash, until they expire. */
export const TOKENS_CACHED_MAX = 65_536;
/** Rate-limit states kept per shard in each of two generations; past it the older generation is let go early. */
export const RATE_STATES_MAX = 262_144;
/** A node that cannot sync answers `not-durable` this long, so that clients and probes see it, then exits. */
export const FAIL_STOP_GRACE_MS = 3_000;

assert(BATCH_BYTES_MAX >= 2 * (BODY_BYTES_MAX + TOKEN_BYTES_MAX + 1024), 'a batch must hold at least two requests');
assert(SHARD_QUEUE_REQUESTS_MAX >= BATCH_REQUESTS_MAX, 'the queue must hold at least one full batch');
