// The watermark in etcd: one guarded transaction a second for all rounds. It is made only while the owner's epoch is
// the newest and the mark that is there is the one that this process knows; so it never falls, and a process whose
// rounds have been taken over writes nothing.
//
// A reply may get lost after the transaction was made, and the same transaction then finds a mark that it did not
// expect. Every write carries a tag of its own, the process's nonce and a number: a mark with our nonce is our own
// work, repeated; any other is somebody else's.

import { randomBytes } from 'node:crypto';
import { ETCD_CONFLICTS_MAX } from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import {
  type Watermark,
  type WatermarkFailure,
  type WatermarkStore,
  watermarkRefusal,
} from '../watermark.js';
import type { EtcdClient } from './etcd-client.js';
import type { EtcdKeys } from './etcd-keys.js';
import type { Entry, Txn, TxnReply } from './etcd-txn.js';

/** As stored: the node's mark, and one per round; those with the same tag were written together. */
interface StoredMark {
  readonly epoch: number;
  readonly journalId: string;
  readonly sequence: number;
  readonly at: string;
  readonly tag: string;
}

interface StoredRound extends StoredMark {
  readonly admitted: number;
  readonly count: number;
}

/** The newest mark that this process knows of, and the revision that its key must still have; null: there is none. */
type Known = { readonly mark: StoredMark; readonly writtenAt: string } | null;

export class EtcdWatermarkStore implements WatermarkStore {
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #nonce = randomBytes(9).toString('base64url');
  #writes = 0;
  /** Undefined before the first write. */
  #known: Known | undefined;

  constructor(client: EtcdClient, keys: EtcdKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  async read(): Promise<Result<Watermark | null, string>> {
    const read = await this.#client.read([{ get: this.#keys.watermark }, { list: this.#keys.rounds }]);
    if (!read.ok) return err(`the watermark cannot be read: ${read.error.message}`);
    const [head, all] = read.value;
    try {
      const known = knownOf(head?.[0]);
      if (known === null) return ok(null);
      const { epoch, journalId, sequence, at, tag } = known.mark;
      const rounds = (all ?? []).flatMap(({ key, value }) => {
        const [id, what] = key.slice(this.#keys.rounds.length).split('/');
        if (id === undefined || what !== 'watermark') return [];
        const round = JSON.parse(value) as StoredRound;
        return round.tag === tag ? [{ id, admitted: round.admitted, count: round.count }] : [];
      });
      return ok({ epoch, journalId, sequence, rounds, at });
    } catch (error) {
      return err(`the watermark in etcd is damaged: ${(error as Error).message}`);
    }
  }

  async write(watermark: Watermark): Promise<Result<void, WatermarkFailure>> {
    try {
      return await this.#write(watermark);
    } catch (error) {
      return unavailable(`the watermark in etcd is damaged: ${(error as Error).message}`);
    }
  }

  async #write(watermark: Watermark): Promise<Result<void, WatermarkFailure>> {
    if (this.#known === undefined) {
      const read = await this.#client.read([{ get: this.#keys.watermark }]);
      if (!read.ok) return unavailable(read.error.message);
      this.#known = knownOf(read.value[0]?.[0]);
    }
    for (let attempt = 0; attempt < ETCD_CONFLICTS_MAX; attempt++) {
      const refusal = watermarkRefusal(asWatermark(this.#known), watermark);
      if (refusal !== null) return err(refusal);
      const tag = `${this.#nonce}.${++this.#writes}`;
      // May be made twice: the second time it finds its own tag.
      const made = await this.#client.txn(this.#txn(watermark, tag));
      if (!made.ok) return unavailable(made.error.message);
      const { succeeded, revision } = made.value;
      if (succeeded) {
        const { epoch, journalId, sequence, at } = watermark;
        this.#known = { mark: { epoch, journalId, sequence, at, tag }, writtenAt: revision };
        return ok(undefined);
      }
      const found = this.#look(watermark, made.value);
      if (!found.ok) return found;
      this.#known = found.value;
      if (found.value?.mark.tag === tag) return ok(undefined);
    }
    return unavailable('the watermark in etcd changes all the time');
  }

  #txn({ epoch, journalId, sequence, at, rounds }: Watermark, tag: string): Txn {
    const head: StoredMark = { epoch, journalId, sequence, at, tag };
    const epochKey = this.#keys.epoch('edge');
    const key = this.#keys.watermark;
    return {
      when: [
        { key: epochKey, value: String(epoch) },
        { key, writtenAt: this.#known?.writtenAt ?? '0' },
      ],
      change: [
        { put: key, value: JSON.stringify(head) },
        ...rounds.map(({ id, admitted, count }) => {
          const round: StoredRound = { ...head, admitted, count };
          return { put: this.#keys.round(id, 'watermark'), value: JSON.stringify(round) };
        }),
      ],
      otherwise: [{ get: epochKey }, { get: key }],
    };
  }

  /** What stood in the way: a later owner, for good; or a mark that this process did not know of, to begin from. */
  #look(watermark: Watermark, { replies }: TxnReply): Result<Known, WatermarkFailure> {
    const epoch = replies[0]?.[0]?.value ?? 'gone';
    if (epoch !== String(watermark.epoch)) {
      const message = `the epoch in etcd is ${epoch}, and this process runs under ${watermark.epoch}`;
      return err({ code: 'fenced', message });
    }
    const found = knownOf(replies[1]?.[0]);
    if (found?.mark.epoch === watermark.epoch && !found.mark.tag.startsWith(`${this.#nonce}.`)) {
      const message = `another process writes the watermark under epoch ${watermark.epoch} as well`;
      return err({ code: 'fenced', message });
    }
    return ok(found);
  }
}

const unavailable = (message: string): Result<never, WatermarkFailure> =>
  err({ code: 'unavailable', message });

function knownOf(entry: Entry | undefined): Known {
  if (entry === undefined) return null;
  const mark = JSON.parse(entry.value) as StoredMark;
  if (!Number.isSafeInteger(mark.epoch) || !Number.isSafeInteger(mark.sequence))
    throw new Error('wrong members');
  return { mark, writtenAt: entry.writtenAt };
}

const asWatermark = (known: Known): Watermark | null =>
  known === null ? null : { ...known.mark, rounds: [] };
