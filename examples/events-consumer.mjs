// An example of a consumer of `openbell.events`: prints each change of an investment once, as a line of JSON.
//
//   node examples/events-consumer.mjs --nsqd 127.0.0.1:4150 --channel feed [--lookupd 127.0.0.1:4161] [--seen FILE]
//
// Events come at least once, in any order. So it remembers the ids that it has handled, and lets go of a message (finish)
// only when its event is handled and its id is remembered. With --seen the memory outlives a restart.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import nsq from 'nsqjs';

/** Ids that are remembered: more than can be on their way a second time. */
const SEEN_MAX = 1_000_000;
const IN_FLIGHT_MAX = 100;
const RETRY_MS = 5_000;

const { values } = parseArgs({
  options: {
    nsqd: { type: 'string', multiple: true, default: [] },
    lookupd: { type: 'string', multiple: true, default: [] },
    channel: { type: 'string', default: 'example' },
    seen: { type: 'string' },
  },
});
if (values.nsqd.length + values.lookupd.length === 0) {
  console.error('events-consumer: name an nsqd (--nsqd HOST:PORT) or an nsqlookupd (--lookupd HOST:PORT)');
  process.exit(64);
}

/** The ids that were handled, oldest first. */
class Seen {
  #ids = new Set();
  #file = -1;

  constructor(path) {
    if (path === undefined) return;
    // The last line may be torn by a crash: its event was not let go of, and comes again.
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    for (const id of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) if (id !== '') this.#ids.add(id);
    this.#file = openSync(path, 'a', 0o600);
    if (text !== '' && !text.endsWith('\n')) writeSync(this.#file, '\n');
  }

  has(id) {
    return this.#ids.has(id);
  }

  add(id) {
    if (this.#file >= 0) {
      writeSync(this.#file, `${id}\n`);
      fsyncSync(this.#file);
    }
    this.#ids.add(id);
    if (this.#ids.size > SEEN_MAX) this.#ids.delete(this.#ids.values().next().value);
  }

  close() {
    if (this.#file >= 0) closeSync(this.#file);
  }
}

/** What this consumer does with a change. It must bear to be called again if the process dies right after it. */
function handle({ type, subject, time, data }) {
  console.log(
    JSON.stringify({ type, investment: subject, investor: data.investor, amount: data.amount, time }),
  );
}

const seen = new Seen(values.seen);
const reader = new nsq.Reader('openbell.events', values.channel, {
  nsqdTCPAddresses: values.nsqd,
  lookupdHTTPAddresses: values.lookupd,
  // Seconds between two looks for nsqds, also for those that went away.
  lookupdPollInterval: 1,
  maxInFlight: IN_FLIGHT_MAX,
});
reader.on('message', (message) => {
  let event;
  try {
    event = JSON.parse(message.body.toString());
  } catch {
    event = null;
  }
  if (event?.specversion !== '1.0' || typeof event.id !== 'string') {
    console.error(`events-consumer: not an event, left out after ${message.attempts} deliveries`);
    message.finish();
    return;
  }
  try {
    if (!seen.has(event.id)) {
      handle(event);
      seen.add(event.id);
    }
    message.finish();
  } catch (error) {
    console.error(`events-consumer: ${event.id} is tried again: ${error.message}`);
    message.requeue(RETRY_MS, false);
  }
});
// Without a listener an nsqd that is away would end the process; the reader connects again by itself.
reader.on('error', (error) => console.error(`events-consumer: ${error.message}`));
reader.connect();

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    reader.close();
    seen.close();
    process.exit(0);
  });
}
