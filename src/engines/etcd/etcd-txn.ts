// Transactions of etcd as plain data: what must hold, what is changed then, and what is read otherwise.

import type { ICompare, IRequestOp, IResponseOp, ITxnRequest } from 'etcd3';

export type Condition =
  /** There is no such key. */
  | { readonly absent: string }
  /** It has exactly this value; a key that is not there has none. */
  | { readonly key: string; readonly value: string }
  /** It was last written at this revision; '0': it is not there. */
  | { readonly key: string; readonly writtenAt: string }
  /** It was made at this revision and has been there ever since. */
  | { readonly key: string; readonly madeAt: string };

export type Op =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly get: string }
  /** Every key that begins so. */
  | { readonly list: string }
  | { readonly remove: string };

export interface Txn {
  /** All of them must hold. */
  readonly when: readonly Condition[];
  readonly change: readonly Op[];
  readonly otherwise: readonly Op[];
}

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Revision of its last write: changes with each one. */
  readonly writtenAt: string;
  /** Revision at which it was made. */
  readonly madeAt: string;
  /** '0': none. */
  readonly lease: string;
}

/** What a `get` or `list` found; empty for writes. */
export type Reply = readonly Entry[];

export interface TxnReply {
  /** Of the store, after it: that of the keys it wrote. */
  readonly revision: string;
  readonly succeeded: boolean;
  /** Of the operations that were done, in their order. */
  readonly replies: readonly Reply[];
}

export function txnRequest({ when, change, otherwise }: Txn): ITxnRequest {
  return {
    compare: when.map(compareOf),
    success: change.map(opRequest),
    failure: otherwise.map(opRequest),
  };
}

function compareOf(condition: Condition): ICompare {
  if ('absent' in condition) {
    return { key: bytes(condition.absent), target: 'Create', result: 'Equal', create_revision: '0' };
  }
  const { key } = condition;
  if ('value' in condition) {
    return { key: bytes(key), target: 'Value', result: 'Equal', value: bytes(condition.value) };
  }
  if ('madeAt' in condition) {
    return { key: bytes(key), target: 'Create', result: 'Equal', create_revision: condition.madeAt };
  }
  return { key: bytes(key), target: 'Mod', result: 'Equal', mod_revision: condition.writtenAt };
}

export function opRequest(op: Op): IRequestOp {
  if ('put' in op) {
    const lease = op.lease === undefined ? {} : { lease: op.lease };
    return { request_put: { key: bytes(op.put), value: bytes(op.value), ...lease } };
  }
  if ('get' in op) return { request_range: { key: bytes(op.get) } };
  if ('list' in op) return { request_range: { key: bytes(op.list), range_end: endOf(op.list) } };
  return { request_delete_range: { key: bytes(op.remove) } };
}

export function replyOf(response: IResponseOp): Reply {
  const kvs = response.response_range?.kvs ?? [];
  return kvs.map(({ key, value, mod_revision, create_revision, lease }) => ({
    key: key.toString('utf8'),
    value: value.toString('utf8'),
    writtenAt: mod_revision,
    madeAt: create_revision,
    lease,
  }));
}

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

/** The first key after all that begin with `prefix`, which ends in a slash. */
function endOf(prefix: string): Buffer {
  const end = bytes(prefix);
  end[end.length - 1]! += 1;
  return end;
}
