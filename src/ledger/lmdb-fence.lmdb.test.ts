// The LMDB books against what every store keeps about tokens and epochs.

import { newDirectory, openStore } from './books-bench.js';
import { storeFenceContract } from './store-fence-contract.js';

storeFenceContract('lmdb', (t) => {
  const directory = newDirectory(t);
  return async () => openStore(directory);
});
