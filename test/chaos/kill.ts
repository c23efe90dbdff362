// The long form of the kill test:
//   node dist/test/chaos/kill.js --edge-kills 200 --ledger-kills 100 [--seed S] [--data-dir DIR]
// Prints its seed first: the same seed kills at the same delays again. Exit 1 if anything is wrong.

import { parseArgs } from 'node:util';
import { runKills } from './kill-run.js';
import { LONG_FORM_OPTIONS, runLongForm } from './long-form.js';

const { values } = parseArgs({
  options: {
    'edge-kills': { type: 'string', default: '200' },
    'ledger-kills': { type: 'string', default: '100' },
    ...LONG_FORM_OPTIONS,
  },
});
await runLongForm(values, (form) =>
  runKills({
    edgeKills: Number.parseInt(values['edge-kills'], 10),
    ledgerKills: Number.parseInt(values['ledger-kills'], 10),
    ...form,
  }),
);
