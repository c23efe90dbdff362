// A rush while nsqd, Cassandra, etcd, the ledger and the edge are killed and paused:
//   node dist/test/chaos/engines.js --each 5 [--kinds kill,pause] [--seed S] [--books lmdb|cassandra] [--data-dir DIR]
// Prints its seed first: the same seed brings the same faults about in the same order. Exit 1 if anything is wrong.

import { parseArgs } from 'node:util';
import { runEngineChaos } from './engines-run.js';
import { FAULT_KINDS } from './fault-plan.js';
import { LONG_FORM_OPTIONS, runLongForm } from './long-form.js';

const { values } = parseArgs({
  options: {
    each: { type: 'string', default: '5' },
    kinds: { type: 'string', default: FAULT_KINDS.join() },
    books: { type: 'string', default: 'lmdb' },
    ...LONG_FORM_OPTIONS,
  },
});
await runLongForm(values, (form) =>
  runEngineChaos({
    each: Number.parseInt(values.each, 10),
    kinds: FAULT_KINDS.filter((kind) => values.kinds.split(',').includes(kind)),
    books: values.books === 'cassandra' ? 'cassandra' : 'lmdb',
    ...form,
  }),
);
