// Certificates for tests: an authority, a server and a client, made with openssl by deploy/engines/make-certs.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MAKE_CERTS } from './engine-files.js';

/** Paths of PEM files. Each call of `makeCertificates` makes an authority that no other trusts. */
export interface Certificates {
  readonly directory: string;
  readonly ca: string;
  /** For `localhost`, `127.0.0.1` and `::1`. */
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
  remove(): Promise<void>;
}

/** Makes them in a temporary directory; `clientName` is the common name of the client's certificate. */
export async function makeCertificates(clientName = 'openbell'): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), 'openbell-certificates-'));
  await promisify(execFile)(MAKE_CERTS, [directory, clientName]);
  return {
    directory,
    ca: join(directory, 'ca.pem'),
    serverCert: join(directory, 'server.pem'),
    serverKey: join(directory, 'server-key.pem'),
    clientCert: join(directory, 'client.pem'),
    clientKey: join(directory, 'client-key.pem'),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** What a client has that trusts the server of `certificates`, and shows a certificate that the server does not know. */
export function strangerTo(certificates: Certificates, others: Certificates): Certificates {
  return { ...certificates, clientCert: others.clientCert, clientKey: others.clientKey };
}

/** TLS of one engine. */
export interface EngineTls {
  readonly certificates: Certificates;
  /** True: clients must show a certificate of the same authority. */
  readonly clientCertificate?: boolean;
}

/** What a client of node:tls or node:https passes to trust the server, and to show its own certificate. */
export function clientTls(certificates: Certificates): { ca: string; cert: string; key: string } {
  return {
    ca: readFileSync(certificates.ca, 'utf8'),
    cert: readFileSync(certificates.clientCert, 'utf8'),
    key: readFileSync(certificates.clientKey, 'utf8'),
  };
}
