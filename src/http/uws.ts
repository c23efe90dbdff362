// uWebSockets.js, loaded with our bound for request heads: it reads the variable once, when it is loaded, so nobody
// else imports the module itself (types aside).

import type uWebSockets from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { HEADER_BYTES_MAX } from '../core/limits.js';

process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(HEADER_BYTES_MAX);

export const uWS: typeof uWebSockets = createRequire(import.meta.url)('uWebSockets.js');
