// What a peer is told by whoever starts it: environment variables, the same for every peer in every language.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

function required(name) {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

function amount(name) {
  const text = required(name);
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new Error(`${name} must be an amount of minor units, not ${text}`);
  return Number.parseInt(text, 10);
}

/** One round, open from the start. Amounts in minor units. */
export const settings = {
  dataDir: required('PEER_DATA_DIR'),
  secret: required('PEER_JWT_SECRET'),
  /** `investor balance` a line: read once, into an empty store. */
  investorsFile: required('PEER_INVESTORS'),
  /** By code: `{status, title, detail}`. */
  problems: JSON.parse(required('PEER_PROBLEMS')),
  round: required('PEER_ROUND'),
  currency: required('PEER_CURRENCY'),
  cap: amount('PEER_CAP'),
  minimum: amount('PEER_MINIMUM'),
  maximum: amount('PEER_MAXIMUM'),
};

/** The lines of the investors' file, in arrays of at most `size`: `[investor, balance]`. */
export async function* investorBatches(size) {
  let batch = [];
  for await (const line of createInterface({ input: createReadStream(settings.investorsFile) })) {
    const space = line.indexOf(' ');
    if (space < 1) throw new Error(`not an investor: ${line}`);
    batch.push([line.slice(0, space), Number.parseInt(line.slice(space + 1), 10)]);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/** Says where this peer listens, once it does: the line that its starter waits for. */
export function announce(port) {
  process.stdout.write(`${JSON.stringify({ port })}\n`);
}
