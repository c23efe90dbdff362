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
// What uWebSockets.js is told to hold of a request head before it answers 431 by itself. A head that arrives in one
// read may be larger (its check comes late), so the token's length is checked here as well.
export const HEADER_BYTES_MAX = 16_384;
/** Rounds of one node: each has a slot of shared memory and every one is listed in one answer. */
export const ROUNDS_MAX = 64;
/** A round's name is a line on a screen. */
export const ROUND_NAME_CHARS_MAX = 200;
/** A list answer holds at most this many of the caller's investments, newest first. */
export const LIST_ITEMS_MAX = 200;

// --- Admission ---------------------------------------------------------------------------------------------
/** Bytes of requests in one batch; a few thousand requests, so that one fdatasync pays for many. */
export const BATCH_BYTES_MAX = 1_048_576;
/** Requests in one batch: bounds the time between the first decision and the sync. */
export const BATCH_REQUESTS_MAX = 2_048;
/** Batches of a shard that are filled, waited for, decided or told at a time; with all in use there is `overloaded`. */
export const SHARD_SLABS = 8;
/** Bytes of answers of one batch; more (long lists) travel in memory of their own. */
export const ANSWER_BYTES_MAX = 1_048_576;
/** An HTTP answer up to this length is copied to be sent, to where views are kept for so many pairs of lengths. */
export const ANSWER_TEXT_BYTES = 2_048;
export const ANSWER_SHAPES_MAX = 1_024;
/** Batches handed to a shard and not yet answered. One more than it works on, so that it never waits for the front end. */
export const SHARD_BATCHES_IN_FLIGHT_MAX = 2;
/** A shard that nobody wakes looks around this often. */
export const SHARD_SLEEP_MS = 1_000;
/** Batches of a shard between two turns of its event loop, where libraries leave timers. */
export const SHARD_BATCHES_PER_LOOP_TURN = 256;
/** What a batch makes dies young: with room for many batches, few objects are copied by the collector. */
export const THREAD_YOUNG_GENERATION_MB = 64;
/** A request older than this without a verdict is answered `overloaded`: unknown, ask again. */
export const REQUEST_DEADLINE_MS = 30_000;
/** Rows that the index may lag behind the journal before admission answers `overloaded`. */
export const INDEX_LAG_ROWS_MAX = 1_000_000;
/** Verified tokens kept per shard, by hash, until they expire. */
export const TOKENS_CACHED_MAX = 65_536;
/** Rate-limit states kept per shard in each of two generations (a power of two); past it the older is let go early. */
export const RATE_STATES_MAX = 131_072;
/** A node that cannot sync answers `not-durable` this long, so that clients and probes see it, then exits. */
export const FAIL_STOP_GRACE_MS = 3_000;
assert(
  BATCH_BYTES_MAX >= 2 * (BODY_BYTES_MAX + TOKEN_BYTES_MAX + 1024),
  'a batch must hold at least two requests',
);
assert(
  SHARD_SLABS > SHARD_BATCHES_IN_FLIGHT_MAX,
  'one slab is filled while those in flight are at the shard',
);

// --- Journal -----------------------------------------------------------------------------------------------
/** Default size of a segment: about 700,000 rows, and zero-filling it ahead takes well under a second. */
export const JOURNAL_SEGMENT_BYTES = 67_108_864;
/** A frame with header and padding. A reader holds one whole, and a recovery searches back this far. */
export const JOURNAL_FRAME_BYTES_MAX = 4_194_304;
/** Rows of one frame. */
export const JOURNAL_FRAME_ROWS_MAX = 16_384;
/** A verdict or outcome row: its fixed part with the longest investor and key. */
export const JOURNAL_ROW_BYTES_MAX = 56 + INVESTOR_BYTES_MAX + IDEMPOTENCY_KEY_BYTES_MAX;
/** A round row: a whole definition, of which only the name has a length to speak of. */
export const JOURNAL_ROUND_ROW_BYTES_MAX = 4096;
/** Times that a journal may be built again on another disk; its lineage is one row. */
export const LINEAGE_ENTRIES_MAX = 240;
/** A thread that waits longer than this for the journal's lock takes it for lost, and the journal for failed. */
export const JOURNAL_LOCK_TIMEOUT_MS = 30_000;
/** Bytes that a reader asks the kernel for at once, at most. */
export const JOURNAL_READ_BYTES = 1_048_576;
/** Segments that the upkeep keeps ready ahead of the one in use: minutes at the full rate of one disk. */
export const JOURNAL_SEGMENTS_AHEAD = 2;
/** Problems that an audit spells out; it goes on counting past them. */
export const AUDIT_PROBLEMS_MAX = 100;
/** Live investments that an audit follows one by one, at about 150 bytes each; beyond, it says what it left out. */
export const AUDIT_LIVE_MAX = 4_000_000;
/** Idempotency keys that an audit compares, at 16 bytes each; beyond, it says what it left out. */
export const AUDIT_KEYS_MAX = 16_777_216;
assert(
  JOURNAL_FRAME_BYTES_MAX >= 8 + 48 + BATCH_REQUESTS_MAX * JOURNAL_ROW_BYTES_MAX &&
    JOURNAL_FRAME_ROWS_MAX >= BATCH_REQUESTS_MAX,
  'the verdicts of a full batch must fit in one frame',
);
assert(
  JOURNAL_ROUND_ROW_BYTES_MAX >= 24 + 16 * LINEAGE_ENTRIES_MAX,
  'a writer must leave room for the longest lineage row',
);
assert(
  JOURNAL_SEGMENT_BYTES >= 4 * JOURNAL_FRAME_BYTES_MAX,
  'a segment must not be wasted by a frame that does not fit',
);
/** The frame of a full batch, with the room that its last row is asked for. */
export const BATCH_FRAME_BYTES_MAX = 8192 + BATCH_REQUESTS_MAX * JOURNAL_ROW_BYTES_MAX;
/** A shard keeps the rows that the index lacks in chunks of this size: large beside a frame, small beside a rush. */
export const RECENT_CHUNK_BYTES = 4_194_304;
assert(
  RECENT_CHUNK_BYTES >= JOURNAL_FRAME_BYTES_MAX && RECENT_CHUNK_BYTES >= 4 * BATCH_FRAME_BYTES_MAX,
  'a chunk must hold the largest frame, and not be wasted by one that does not fit',
);

// --- Load tool (rush) --------------------------------------------------------------------------------------
/** Attempts of one run: its own log of answers is held in memory, about 100 bytes each. */
export const RUSH_ATTEMPTS_MAX = 5_000_000;
/** Investors of one run: a token each is held in memory, about 200 bytes. */
export const RUSH_INVESTORS_MAX = 2_000_000;
/** Connections of one run; each is a file descriptor on both sides. */
export const RUSH_CONNECTIONS_MAX = 10_000;
/** Attempts whose time has come and that wait for a free connection; past it an attempt is dropped, and counted. */
export const RUSH_BACKLOG_ATTEMPTS_MAX = 20_000;
/** Messages in flight on one WebSocket when sends have their own times. */
export const RUSH_WS_IN_FLIGHT_MAX = 256;
/** The same when each connection sends as soon as it may: enough to keep the node busy, no more. */
export const RUSH_WS_IN_FLIGHT_CLOSED_LOOP = 16;
/** An attempt without an answer after this long is unknown and is asked again. */
export const RUSH_REQUEST_TIMEOUT_MS = 10_000;
/** Times that one attempt is asked again after a loss, before it is reported as unknown. */
export const RUSH_RETRIES_MAX = 10;
/** After the last intended send, how long answers and retries are waited for. */
export const RUSH_DRAIN_MS = 60_000;
/** One answer of the node; a list of an investor's investments is the largest. */
export const RUSH_RESPONSE_BYTES_MAX = 4_194_304;
/** Lines per import request: well below the body limit of the admin ports. */
export const RUSH_IMPORT_LINES_PER_REQUEST = 5_000;
/** Accepted answers that are all read back; of more, a sample of RUSH_CHECK_SAMPLE is. */
export const RUSH_CHECK_ALL_MAX = 200_000;
/** Size of the sample of accepted answers when there are too many to read all back. */
export const RUSH_CHECK_SAMPLE = 20_000;
/** Keys sent again, and investors whose lists are read, at the end. */
export const RUSH_RESEND_SAMPLE = 2_000;

// --- Index -------------------------------------------------------------------------------------------------
/** Address space of the index. It costs nothing until used, and one size for life spares readers a moving map. */
export const INDEX_MAP_BYTES = 64 * 1_073_741_824;
/** Rows of one index transaction. Big ones are cheaper per row: neighbours share pages, and each flushes twice. */
export const INDEX_BATCH_ROWS_MAX = 50_000;
/** Rows that one catch-up applies before other work of the indexer (balances, say) gets its turn. */
export const INDEX_CATCH_UP_ROWS_MAX = 200_000;
/** Times that a failed index transaction is tried before admission has to stop, and the first wait, doubled each time. */
export const INDEX_COMMIT_ATTEMPTS_MAX = 4;
export const INDEX_RETRY_MS = 250;

// --- Rounds ------------------------------------------------------------------------------------------------
/** Changes of one round that wait for those before them; past it an operator's script is told `overloaded`. */
export const ROUND_CHANGES_WAITING_MAX = 32;
/** No round timer sleeps longer than this, so that a stepped wall clock is noticed. */
export const ROUND_TIMER_HOP_MS = 1_000;
/** A timed change that could not be made is tried again after this. */
export const ROUND_TIMER_RETRY_MS = 1_000;
/** How long a change of a round waits for the other nodes to know it, before its answer leaves all the same. */
export const ROUND_SHARE_WAIT_MS = 1_000;
/** A change that could not be shared is told again after this. */
export const ROUND_SHARE_RETRY_MS = 1_000;
/** The age of a round's cached answer. The contract allows 100 ms; half is left for the way to the reader. */
export const ROUND_VIEW_AGE_MS_MAX = 50;

// --- Edge operations ---------------------------------------------------------------------------------------
/** An audit reads the whole journal; past this the operator is told to use the command on the files. */
export const AUDIT_DEADLINE_MS = 600_000;
/** Rates are taken over at least this much time, whoever asks and how often. */
export const RATE_WINDOW_MS = 1_000;
/** Rows that an audit reads before segments, which the same thread makes, get their turn: a part of a second. */
export const AUDIT_SLICE_ROWS = 25_000;
/** Accepted investments that an audit compares with the ledger, at 22 bytes each; beyond, it says what it left out. */
export const AUDIT_ACCEPTED_MAX = 8_000_000;
/** Rows that an audit looks up in the index; of more, every n-th is, so that the look-ups take about ten seconds. */
export const AUDIT_INDEX_ROWS_MAX = 2_000_000;
/** Times that the counters are held against the journal while work goes on; one at rest is enough. */
export const AUDIT_SAMPLES_MAX = 20;
/** Outcomes that an audit asks the ledger for at a time: some milliseconds of the ledger's only thread. */
export const AUDIT_LEDGER_PAGE = 2_000;
/** An answer of the ledger's admin port to an audit; a page of outcomes stays far below. */
export const LEDGER_ANSWER_BYTES_MAX = 16_777_216;
/** A segment that could not be made ahead of need is tried again after this: the disk may be full. */
export const UPKEEP_RETRY_MS = 5_000;

// --- Admin ports and imports -------------------------------------------------------------------------------
/** An admin request that carries one object. */
export const ADMIN_BODY_BYTES_MAX = 65_536;
/** Lines of one bulk request: they become one transaction, which holds up the process that runs it. */
export const INVESTOR_LINES_MAX = 20_000;
/** One line of an import; the longest valid one has about 220 bytes as NDJSON. */
export const INVESTOR_LINE_CHARS_MAX = 400;
/** A bulk request's body: room for the most lines, each at its longest. */
export const ADMIN_BULK_BODY_BYTES_MAX = 8 * 1_048_576;
/** Bad lines that an answer names; one is enough to find the mistake that most lines share. */
export const BAD_LINES_REPORTED_MAX = 100;
/** Admin requests in work at a time; each may hold a bulk body. */
export const ADMIN_REQUESTS_IN_FLIGHT_MAX = 32;
/** An admin request whose body or answer takes longer is given up. */
export const ADMIN_DEADLINE_MS = 30_000;
/** What a stop grants admin requests that are still in work. */
export const ADMIN_DRAIN_MS = 3_000;
assert(
  ADMIN_BULK_BODY_BYTES_MAX >= INVESTOR_LINES_MAX * INVESTOR_LINE_CHARS_MAX,
  'a bulk body must hold all its lines',
);

// --- Embedded link between edge and ledger -----------------------------------------------------------------
/** One message: all of ours stay below 1 KiB. */
export const LINK_MESSAGE_BYTES_MAX = 16_384;
/** One frame; a peer that announces more is not ours and is hung up on. */
export const LINK_FRAME_BYTES_MAX = 262_144;
/** Unfinished messages per topic and direction: both buffers and what a death makes the outbox send again. */
export const LINK_WINDOW_MESSAGES = 1_024;
/** Messages per topic that wait for room in the window; more are refused as overloaded. */
export const LINK_QUEUE_MESSAGES_MAX = 8_192;
/** How long a publish may wait for room before it is given up unsent. */
export const LINK_PUBLISH_TIMEOUT_MS = 10_000;
/** Each side says that it lives this often... */
export const LINK_HEARTBEAT_MS = 1_000;
/** ...and is taken for dead after so many beats without a byte. */
export const LINK_SILENT_BEATS_MAX = 5;
/** Reconnect backoff: the first and the longest wait, before jitter. */
export const LINK_RECONNECT_MIN_MS = 50;
export const LINK_RECONNECT_MAX_MS = 2_000;
/** Connections that have not said hello yet. */
export const LINK_STRANGERS_MAX = 8;
/** Topics of one link, bounded because a peer may name any. */
export const LINK_TOPICS_MAX = 8;
assert(LINK_FRAME_BYTES_MAX >= LINK_MESSAGE_BYTES_MAX + 1_024, 'a frame must hold the largest message');
assert(LINK_QUEUE_MESSAGES_MAX >= LINK_WINDOW_MESSAGES, 'a full window of messages must be able to wait');
assert(LINK_WINDOW_MESSAGES <= 65_535, 'a frame counts its messages in 16 bits');

// --- NSQ ---------------------------------------------------------------------------------------------------
/** One message: nsqd's default of --max-msg-size. */
export const NSQ_MESSAGE_BYTES_MAX = 1_048_576;
/** The body of one MPUB: nsqd's default of --max-body-size. */
export const NSQ_BODY_BYTES_MAX = 5_242_880;
/** Messages of one MPUB: a few hundred KiB of ours, so that one answer is never far away. */
export const NSQ_BATCH_MESSAGES_MAX = 1_024;
/** MPUBs sent to an nsqd and not answered: the client has no backpressure of its own. */
export const NSQ_IN_FLIGHT_BATCHES_MAX = 4;
/** Messages, and their bytes, that wait for an nsqd or for its answer; more are refused as overloaded. */
export const NSQ_QUEUE_MESSAGES_MAX = 16_384;
export const NSQ_QUEUE_BYTES_MAX = 33_554_432;
/** An nsqd that owes an answer for this long is hung up on, and its MPUBs go to the next one. */
export const NSQ_RESPONSE_TIMEOUT_MS = 4_000;
/** How long one publish may take in all, several nsqds included. */
export const NSQ_PUBLISH_TIMEOUT_MS = 10_000;
/** nsqd says that it lives this often... */
export const NSQ_HEARTBEAT_MS = 5_000;
/** ...and is taken for dead after so many beats without a byte. */
export const NSQ_SILENT_BEATS_MAX = 3;
/** Reconnect backoff: the first and the longest wait, before jitter. */
export const NSQ_RECONNECT_MIN_MS = 50;
export const NSQ_RECONNECT_MAX_MS = 5_000;
/** A connection that held this long was a good one: the backoff starts anew. */
export const NSQ_STABLE_MS = 5_000;
/** A message that nobody ends or touches comes again after this, also when its consumer died: what a restart costs. */
export const NSQ_MESSAGE_TIMEOUT_MS = 15_000;
/** The longest delay of a requeue: nsqd's default of --max-req-timeout. */
export const NSQ_REQUEUE_MAX_MS = 3_600_000;
/** What nsqd sends in one frame, or tells over HTTP of its channels; a peer that announces more is not an nsqd. */
export const NSQ_FRAME_BYTES_MAX = 16_777_216;
/** nsqds of one cluster; each costs a connection per topic. */
export const NSQ_NSQDS_MAX = 64;
/** nsqlookupd is asked this often, give or take a third, and may take this long to answer. */
export const NSQ_LOOKUP_MS = 5_000;
export const NSQ_LOOKUP_TIMEOUT_MS = 2_000;
/** An answer of nsqlookupd: some hundred bytes for each nsqd. */
export const NSQ_LOOKUP_BYTES_MAX = 1_048_576;
/** A dead letter keeps this much of its original: in base64, and with its reason, it must fit a message. */
export const DEAD_LETTER_BODY_BYTES_MAX = 524_288;
/** A dead letter that could not be put aside is tried again after this, doubled up to the longest. */
export const DEAD_LETTER_RETRY_MIN_MS = 1_000;
export const DEAD_LETTER_RETRY_MAX_MS = 60_000;
/** What has no outbox is published again after the death of a broker: of this time, so many, and after a failure so late. */
export const REPEAT_MS = 60_000;
export const REPEAT_MESSAGES_MAX = 65_536;
export const REPEAT_RETRY_MS = 1_000;
/** Deliveries of a message to the edge before it is put aside: hours, as each waits longer for the next. */
export const MESSAGE_ATTEMPTS_MAX = 200;
assert(
  (DEAD_LETTER_BODY_BYTES_MAX / 3) * 4 + 16_384 <= NSQ_MESSAGE_BYTES_MAX,
  'a dead letter must fit a message',
);
assert(NSQ_MESSAGE_BYTES_MAX + 8 <= NSQ_BODY_BYTES_MAX, 'an MPUB must hold the largest message');
assert(
  NSQ_QUEUE_BYTES_MAX >= NSQ_BODY_BYTES_MAX && NSQ_QUEUE_MESSAGES_MAX >= NSQ_BATCH_MESSAGES_MAX,
  'a full MPUB must be able to wait',
);
assert(
  2 * NSQ_RESPONSE_TIMEOUT_MS < NSQ_PUBLISH_TIMEOUT_MS,
  'a publish must have the time for a second nsqd when the first hangs',
);
assert(NSQ_MESSAGE_BYTES_MAX >= LINK_MESSAGE_BYTES_MAX, 'what fits the embedded link must fit NSQ');

// --- Ledger ------------------------------------------------------------------------------------------------
/** Investments settled by one transaction: bounds the work that one flush pays for and the pause it causes. */
export const LEDGER_GROUP_MAX = 256;
/** Deaths over one investment alone before it is put in quarantine, and how many may be there: more are not the cause. */
export const LEDGER_DEATHS_MAX = 3;
export const LEDGER_QUARANTINE_MAX = 64;
/** The token bucket holds this much time of its rate (and at least one): the bank must not feel a burst. */
export const LEDGER_BURST_MS = 100;
/** Balance changes sent at a time from the outbox. */
export const LEDGER_BALANCES_BATCH_MAX = 512;
/** An outcome or balance that could not be handed over is tried again after this, doubled up to the longest. */
export const LEDGER_RETRY_MIN_MS = 100;
export const LEDGER_RETRY_MAX_MS = 5_000;
/** What the ledger has in hand it touches this often, so that a broker does not deliver it again. */
export const LEDGER_TOUCH_MS = 4_000;
/** Entries of an account shown by one answer, newest first. */
export const LEDGER_ENTRIES_SHOWN_MAX = 100;
/** Outcomes of one page. */
export const LEDGER_OUTCOMES_PAGE_MAX = 10_000;
/** Rows that a check of the whole ledger reads before it lets other work go first. */
export const LEDGER_VERIFY_ROWS_PER_TURN = 10_000;
/** What a stop grants the messages in work. */
export const LEDGER_DRAIN_MS = 5_000;
/** Bytes of one record of the ledger's log in Cassandra; a larger change is several records. */
export const LEDGER_RECORD_BYTES_MAX = 262_144;
/** Records of one partition of that log. Part of the schema: never changed. */
export const LEDGER_LOG_BUCKET_RECORDS = 128;
/** Records of that log read at a time. */
export const LEDGER_LOG_READ_RECORDS = 16;
/** Outcomes, and changes of balances, of one partition. Part of the schema: never changed. */
export const LEDGER_POSITION_BUCKET_ROWS = 4_096;
/** Entries of one partition of an account. Part of the schema: never changed. */
export const LEDGER_ACCOUNT_PART_ENTRIES = 16_384;
/** Accounts of investors kept in memory, at some hundred bytes each. */
export const LEDGER_ACCOUNTS_CACHED_MAX = 50_000;
/** Rows that the tables may be behind the log, in memory; then changes wait. One more change may come on top. */
export const LEDGER_ROWS_BEHIND_MAX = 50_000;
/** Rows that go from the log into the tables at a time. */
export const LEDGER_TABLE_ROWS_AT_ONCE = 5_000;
/** Requests to Cassandra in flight at a time, far from what its driver refuses. */
export const LEDGER_CQL_IN_FLIGHT = 128;
/** Rows of one unlogged batch, and partitions of one read. */
export const LEDGER_CQL_BATCH_ROWS = 100;
export const LEDGER_CQL_IN_MAX = 20;
/** How long a change or a reading waits for Cassandra before it says: try again later. */
export const LEDGER_STORE_DEADLINE_MS = 10_000;
/** Changes and readings of the books that wait for their turn: more than both ports can have in work. */
export const LEDGER_TURNS_WAITING_MAX = 64;
/** The contract's bound of an id. */
export const ID_CHARS_MAX = 40;
assert(
  AUDIT_LEDGER_PAGE <= LEDGER_OUTCOMES_PAGE_MAX,
  'the ledger must give pages as large as the audit asks',
);
assert(LEDGER_BALANCES_BATCH_MAX <= LINK_WINDOW_MESSAGES, 'a batch of balances must fit the window');
assert(3 * LEDGER_TOUCH_MS < NSQ_MESSAGE_TIMEOUT_MS, 'two touches may be late before a message comes again');
assert(
  LEDGER_TURNS_WAITING_MAX >= ADMIN_REQUESTS_IN_FLIGHT_MAX + 2,
  'every request in work, the processor and the balances have their turn',
);
assert(LEDGER_GROUP_MAX <= LINK_WINDOW_MESSAGES, 'a group cannot be larger than what is in flight');

// --- etcd --------------------------------------------------------------------------------------------------
/** One attempt of one call. etcd answers in milliseconds; an election takes a second. */
export const ETCD_CALL_MS = 2_000;
/** Attempts of a call that may be repeated, each at the next endpoint... */
export const ETCD_ATTEMPTS_MAX = 3;
/** ...and the pause before the second one, doubled for each further one, with jitter. */
export const ETCD_RETRY_MS = 50;
/** Times that a guarded transaction begins again from what it found instead of what it expected. */
export const ETCD_CONFLICTS_MAX = 4;
/** Locks of one transaction: etcd takes 128 operations, and the owner's key is one more condition. */
export const ETCD_LOCKS_PER_TXN = 100;
/** Lease of a node, by default: a node that is not heard of for so long loses its rounds. */
export const LEASE_TTL_S = 10;
/** The shortest that etcd gives with its default election timeout, and the longest that anyone would wait for. */
export const LEASE_TTL_S_MIN = 2;
export const LEASE_TTL_S_MAX = 300;
/** Share of the lease after which its holder stops by itself: the rest is for clocks that do not run alike. */
export const LEASE_FENCE_SHARE = 2 / 3;
/** Keepalives are sent so many times in the life of a lease... */
export const LEASE_KEEPALIVES = 5;
/** ...each with this share of it for its answer, so that several may fail before the holder has to stop. */
export const LEASE_KEEPALIVE_SHARE = 1 / 6;
/** A keepalive that failed is sent again after this, with jitter. */
export const LEASE_RETRY_MS = 100;
/** A standby looks this often whether the rounds are free. */
export const STANDBY_POLL_MS = 500;
/** An etcd that has never answered is waited for this long at a start. */
export const ETCD_START_MS = 30_000;
assert(
  ROUNDS_MAX + 1 <= 128 && 2 * ROUNDS_MAX <= 128,
  'what is told of all rounds must fit one transaction of etcd',
);

// --- Cassandra ----------------------------------------------------------------------------------------------
/** The driver takes this many requests on its one connection to a host and fails all beyond. */
export const CASSANDRA_REQUESTS_PER_CONNECTION = 2_048;
/** Batches of rows written at once: enough to keep a server busy, far from what the driver fails. */
export const CASSANDRA_BATCHES_IN_FLIGHT = 64;
/** Of these, those of the view by investor: few, for no reply waits for it. */
export const CASSANDRA_INVESTOR_BATCHES_IN_FLIGHT = 8;
/**
 * Bytes of the rows of one unlogged batch. The server's limits on batches (a warning at 5 KiB, an error at 50 KiB) are
 * for those of several partitions; ours are of one, hence one mutation, which may have half a commit log segment.
 */
export const CASSANDRA_BATCH_BYTES = 32_768;
/** Rows of one batch: the server parses it as a whole. */
export const CASSANDRA_BATCH_ROWS = 128;
/** An answer later than this is none: the request is sent again, or asked after. */
export const CASSANDRA_READ_TIMEOUT_MS = 4_000;
/** Creating a table takes a server far longer than a write. */
export const CASSANDRA_SCHEMA_TIMEOUT_MS = 30_000;
/** Opening a connection. */
export const CASSANDRA_CONNECT_TIMEOUT_MS = 3_000;
/** A host that is down is tried again after the first, then ever later up to the second. */
export const CASSANDRA_RECONNECT_MIN_MS = 100;
export const CASSANDRA_RECONNECT_MAX_MS = 2_000;
/** An idle connection is asked this often whether it lives. */
export const CASSANDRA_HEARTBEAT_MS = 5_000;
/** Rows of one page of a read. */
export const CASSANDRA_PAGE_ROWS = 2_000;
/** Sequences of one partition of rows. Part of the schema: never changed. A partition stays at some megabytes, and a rebuild reads one at a time. */
export const ROW_BUCKET_SEQUENCES = 8_192;
/** Partitions that the rows by investor of one round are spread over. Part of the schema: never changed. */
export const ROW_INVESTOR_SLICES = 64;
/** Rows on their way to Cassandra before more are read: a rebuild that meets a hole looks this far behind it. A chunk of whole frames may pass it once. */
export const REPLICATION_WINDOW_ROWS = 32_768;
/** Rows of one chunk, and chunks on their way at a time: few and large ones while the store is slow. */
export const REPLICATION_CHUNK_ROWS = 1_024;
export const REPLICATION_CHUNKS_MAX = 16;
/** The same for the view by investor, which is behind on purpose: each partition then gets rows enough for a batch. */
export const INVESTOR_CHUNK_ROWS = 16_384;
export const INVESTOR_CHUNKS_MAX = 2;
/** ...so it waits for this many rows, or this long. */
export const INVESTOR_GATHER_ROWS = 16_384;
export const INVESTOR_GATHER_MS = 2_000;
/** A write to Cassandra that failed is tried again after this, doubled up to the longest, with jitter; for ever. */
export const REPLICATION_RETRY_MIN_MS = 100;
export const REPLICATION_RETRY_MAX_MS = 5_000;
/** The replicator looks for new rows this often; a reply that waits for one wakes it. */
export const REPLICATION_FOLLOW_MS = 50;
/** How often its cursor is remembered, and how often it looks whether a newer epoch is on record. */
export const REPLICATION_CURSOR_MS = 1_000;
export const REPLICATION_EPOCH_CHECK_MS = 2_000;
/** What a stop grants the rows that are still on their way. */
export const REPLICATION_DRAIN_MS = 5_000;
/** A reply that waits longer than this for its rows to be replicated is told so: unknown, ask again. */
export const REPLICATION_DEADLINE_MS = 10_000;
/** With a reply that has waited longer than this the node is not ready: whoever comes now would wait as long. */
export const REPLICATION_STALL_MS = 3_000;
/** Batches of replies that wait: more than all shards have slabs. */
export const REPLICATION_HELD_MAX = 1_024;
/** A replicator thread that died is started again after this. */
export const REPLICATION_RESTART_MS = 1_000;
/** A read of rows is tried this often before a rebuild or an audit gives up. */
export const ROW_READ_ATTEMPTS_MAX = 5;
/** Wait between these. */
export const ROW_READ_RETRY_MS = 500;
/** Rows and bytes of a frame that a rebuild writes: each is synced. */
export const REBUILD_FRAME_ROWS = 8_192;
export const REBUILD_FRAME_BYTES = 524_288;
/** `migrate` holds its lock this long at a time; one that died is out of the way after it. */
export const MIGRATE_LOCK_S = 60;
assert(
  CASSANDRA_BATCHES_IN_FLIGHT * 4 <= CASSANDRA_REQUESTS_PER_CONNECTION &&
    CASSANDRA_INVESTOR_BATCHES_IN_FLIGHT < CASSANDRA_BATCHES_IN_FLIGHT,
  'what is in flight stays well below what the driver fails, and not all of it is of the view',
);
assert(
  REPLICATION_CHUNKS_MAX * REPLICATION_CHUNK_ROWS <= REPLICATION_WINDOW_ROWS,
  'chunks of small frames must fit the window',
);
assert(REPLICATION_STALL_MS < REPLICATION_DEADLINE_MS, 'probes see a stall before clients do');
assert(
  CASSANDRA_BATCH_BYTES >= 2 * (JOURNAL_ROW_BYTES_MAX + 512),
  'a batch must hold more than one row of any length',
);

// --- Configuration and command line ------------------------------------------------------------------------
/** Admission shards: a thread each, and more threads than cores only take turns. */
export const WORKERS_MAX = 64;
assert(WORKERS_MAX * SHARD_SLABS <= REPLICATION_HELD_MAX, 'every batch of every shard may wait for its rows');
/** Addresses or origins in one setting. */
export const CONFIG_LIST_ITEMS_MAX = 64;
/** A configuration file or a secret file larger than this is some other file. */
export const CONFIG_FILE_BYTES_MAX = 1_048_576;
/** Sizes of a journal segment: the smallest holds the frame of a full batch, the largest is still quick to make. */
export const JOURNAL_SEGMENT_BYTES_MIN = 1_048_576;
export const JOURNAL_SEGMENT_BYTES_MAX = 1_073_741_824;
/** Lines of one imported file: every investor is held in memory, at about 100 bytes, to find the one named twice. */
export const IMPORT_LINES_MAX = 5_000_000;
/** Bytes of one imported file: its most lines, each a generous one, and what standard input may fill a disk with. */
export const IMPORT_FILE_BYTES_MAX = 2_147_483_648;
/** Lines of one import request. */
export const IMPORT_CHUNK_LINES = 10_000;
/** Bad lines of an import that are spelled out; the rest are counted. */
export const IMPORT_BAD_LINES_SHOWN = 20;
/** Times that a chunk is sent again when its service is away or busy, before the import stops where it is. */
export const IMPORT_RETRIES_MAX = 6;
/** An answer that a command reads from an admin port or an engine: the longest list of differences stays far below. */
export const CLI_ANSWER_BYTES_MAX = 67_108_864;
/** A command waits this long for an answer of an admin port; an audit reads the whole journal first. */
export const CLI_REQUEST_TIMEOUT_MS = 600_000;
/** An orderly stop that takes longer than this is given up and said so. */
export const STOP_DEADLINE_MS = 60_000;
/** `up` starts a ledger that died again after this, doubled up to the longest. */
export const LEDGER_RESTART_MIN_MS = 500;
export const LEDGER_RESTART_MAX_MS = 30_000;
assert(IMPORT_CHUNK_LINES <= INVESTOR_LINES_MAX, 'a chunk of an import must be one bulk request');
assert(
  JOURNAL_SEGMENT_BYTES_MIN >= REBUILD_FRAME_BYTES + 2 * JOURNAL_ROUND_ROW_BYTES_MAX + 8192,
  'the smallest segment must hold the frame of a rebuild',
);
assert(
  JOURNAL_SEGMENT_BYTES_MIN >= 8192 + BATCH_REQUESTS_MAX * JOURNAL_ROW_BYTES_MAX,
  'the smallest segment must hold the frame of a full batch',
);

// --- Live connections --------------------------------------------------------------------------------------
/** One frame from a client: an invest with the longest token fits. */
export const LIVE_FRAME_BYTES_MAX = 8_192;
/** A longer frame up to this is read, so that its sender can be told (close code 1009); one beyond is just cut off. */
export const LIVE_FRAME_READ_BYTES_MAX = 65_536;
/** Requests of one connection without a verdict; a gateway speaks for many users, but not without end. */
export const LIVE_IN_FLIGHT_MAX = 4_096;
/** Messages that wait behind an `auth` of their connection. */
export const LIVE_HELD_MAX = 16;
/** Live connections of one node, each some kilobytes of buffers. */
export const LIVE_CONNECTIONS_MAX = 50_000;
/** Bytes that wait for a slow reader before it is closed: a few thousand verdicts. */
export const LIVE_BACKPRESSURE_BYTES_MAX = 1_048_576;
/** A reader with more than this waiting gets no progress ticks until it has caught up. */
export const LIVE_TICK_BACKPRESSURE_BYTES = 16_384;
/** Progress ticks: the contract's ten a second at most... */
export const LIVE_TICK_MS = 100;
/** ...and at most this many sends in one go, so that ticks never delay verdicts. */
export const LIVE_TICK_SLICE = 512;
/** Messages that are not valid before the connection is closed. */
export const LIVE_NONSENSE_MAX = 10;
/** Seconds without a byte before a connection is taken for dead; pings go out by themselves. */
export const LIVE_IDLE_S = 60;
assert(LIVE_FRAME_BYTES_MAX >= TOKEN_BYTES_MAX + 1_024, 'an invest with the longest token must fit a frame');
assert(LIVE_FRAME_BYTES_MAX + INVESTOR_BYTES_MAX < 65_536, 'a request record counts its body in 16 bits');

// --- Tails of the edge: index, outbox, outcomes, watermark --------------------------------------------------
/** The index follows the journal this often; what it lacks is in the shards' memory. */
export const INDEX_FOLLOW_MS = 50;
/** While rows keep coming, the index waits this many looks before it follows: few large commits, not many small. */
export const INDEX_WAIT_TICKS = 10;
/** Rows of one look from which on it is a rush: 10,000 a second. */
export const INDEX_RUSH_ROWS_PER_TICK = 500;
/** In a rush the index follows when it lags so far: some 30 MB in the shards' memory, and a second of a start after a crash. */
export const INDEX_RUSH_LAG_ROWS = 200_000;
/** Segments are made ahead of need as soon as the last one is in use; looked at this often. */
export const UPKEEP_MS = 100;
/** Investments published and without an outcome; the rest waits in the journal, so the bank never feels the rush. */
export const OUTBOX_WINDOW = 512;
/** The outbox looks for new rows, and for rows to publish again, this often. */
export const OUTBOX_TICK_MS = 50;
/** Messages of one publish. */
export const OUTBOX_PUBLISH_MAX = 128;
/** With no outcome for this long some investments are published again, doubled each time up to the longest. */
export const OUTBOX_REPUBLISH_MIN_MS = 60_000;
export const OUTBOX_REPUBLISH_MAX_MS = 900_000;
/** How many of them: enough to find out what is lost, and nothing to a ledger that is only slow. Even. */
export const OUTBOX_PROBES_MAX = 16;
/** After a broker went away with what it had in memory, doubled each time: what survived has this long to arrive. */
export const OUTBOX_DOUBT_MS = 5_000;
/** After an outcome came for one that was published later, doubled each time: what was merely requeued is done by then. */
export const OUTBOX_OVERTAKEN_MS = 10_000;
/** The longest wait after publishes that the bus did not take. */
export const OUTBOX_RETRY_MAX_MS = 5_000;
/** Outcomes journaled together, and delivered but not yet journaled. */
export const OUTCOMES_BATCH_MAX = 256;
export const OUTCOMES_IN_FLIGHT_MAX = 1_024;
/** How long an outcome or balance that could not be taken rests before it comes again, doubled up to the longest. */
export const OUTCOME_REQUEUE_MS = 1_000;
export const OUTCOME_REQUEUE_MAX_MS = 60_000;
/** New rows are looked for, to be published as events, this often. */
export const EVENTS_TICK_MS = 100;
/** Events read from the journal at once, in bytes and the rest of a frame: some hundred of them. */
export const EVENTS_BATCH_BYTES = 262_144;
/** Events of one publish: their bytes are copied in the main thread. */
export const EVENTS_PUBLISH_MAX = 512;
/** What was published in this time is published again after a crash or a broker's loss, remembered so exactly. */
export const EVENTS_REPEAT_MS = 60_000;
export const EVENTS_POSITION_MS = 250;
/** The cursor is stored this often. */
export const EVENTS_CURSOR_MS = 1_000;
/** Events that could not be published are tried again after this, doubled up to the longest. */
export const EVENTS_RETRY_MIN_MS = 100;
export const EVENTS_RETRY_MAX_MS = 5_000;
/** The watermark is written this often. */
export const WATERMARK_MS = 1_000;
/** What a stop grants the requests in flight. */
export const EDGE_DRAIN_MS = 10_000;
assert(
  INDEX_BATCH_ROWS_MAX < INDEX_RUSH_LAG_ROWS && 1.5 * INDEX_RUSH_LAG_ROWS < INDEX_LAG_ROWS_MAX,
  'the index must be able to follow long before admission has to wait for it',
);
assert(OUTCOMES_BATCH_MAX <= OUTCOMES_IN_FLIGHT_MAX, 'a batch of outcomes must fit what may be in flight');
/** Rows that a start adds up again before it is ready; a larger index is checked by its totals and by `audit`. */
export const START_CHECK_ROWS_MAX = 200_000;
