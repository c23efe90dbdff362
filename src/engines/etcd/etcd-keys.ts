// The keys of one cluster in etcd, all below its name:
//
//   <cluster>/edge/epoch                    the highest epoch that was ever given to an owner of the rounds
//   <cluster>/edge/owner                    who owns them, on its lease
//   <cluster>/edge/watermark                how far the owner's journal is durable
//   <cluster>/rounds/<round>/owner          who owns this round, on the same lease
//   <cluster>/rounds/<round>/watermark      the same for one round: money and count
//   <cluster>/rounds/<round>/definition     as the owner journaled it last
//   <cluster>/ledger/epoch, ledger/owner    the same for the books
//   <cluster>/ledger/investors/<investor>   locks, on the ledger's lease
//
// Values are JSON, but for the epochs, which are numbers in decimal: a transaction compares them byte by byte.

import type { Role } from '../ownership.js';

export class EtcdKeys {
  readonly #cluster: string;

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  epoch(role: Role): string {
    return `${this.#cluster}/${role}/epoch`;
  }

  owner(role: Role): string {
    return `${this.#cluster}/${role}/owner`;
  }

  get watermark(): string {
    return `${this.#cluster}/edge/watermark`;
  }

  /** What every key of a round begins with. */
  get rounds(): string {
    return `${this.#cluster}/rounds/`;
  }

  round(id: string, what: 'owner' | 'watermark' | 'definition'): string {
    return `${this.rounds}${id}/${what}`;
  }

  investor(investor: string): string {
    return `${this.#cluster}/ledger/investors/${investor}`;
  }
}
