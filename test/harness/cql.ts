// As much of Cassandra's native protocol (version 4) as the harness needs to ask a server something: one connection, one
// query at a time, values as they come. The product uses a real driver.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Certificates, clientTls } from './certificates.js';

/** Where a server is, and how to get in. */
export interface CqlEndpoint {
  readonly host: string;
  readonly port: number;
  readonly certificates?: Certificates;
  /** For PasswordAuthenticator. */
  readonly credentials?: { readonly user: string; readonly password: string };
}

/** A value as the protocol has it, or null. */
type CqlRow = readonly (Buffer | null)[];

const VERSION_REQUEST = 0x04;
const OP = {
  error: 0,
  startup: 1,
  ready: 2,
  authenticate: 3,
  query: 7,
  result: 8,
  authResponse: 15,
  authSuccess: 16,
};
const HEADER_BYTES = 9;
const RESULT_ROWS = 2;
const CONSISTENCY_ONE = 1;
const METADATA_GLOBAL_TABLE = 1;
const METADATA_PAGING = 2;
const TIMEOUT_MS = 15_000;

interface Frame {
  readonly opcode: number;
  readonly body: Buffer;
}

const shortString = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

const longBytes = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** Reads the notations of the protocol one after the other. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  short(): number {
    this.#at += 2;
    return this.#bytes.readUInt16BE(this.#at - 2);
  }

  take(length: number): Buffer {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  string(): string {
    return this.take(this.short()).toString();
  }

  bytes(): Buffer | null {
    const length = this.int();
    return length < 0 ? null : this.take(length);
  }

  /** A column's type: a number, and for collections, tuples and user types what they are made of. */
  skipType(): void {
    const type = this.short();
    if (type === 0x00) this.string();
    else if (type === 0x20 || type === 0x22) this.skipType();
    else if (type === 0x21) {
      this.skipType();
      this.skipType();
    } else if (type >= 0x30) throw new Error(`columns of type ${type} are not read here`);
  }
}

function rowsOf(body: Buffer): CqlRow[] {
  const reader = new Reader(body);
  if (reader.int() !== RESULT_ROWS) return [];
  const flags = reader.int();
  const columns = reader.int();
  if (flags & METADATA_PAGING) reader.bytes();
  if (flags & METADATA_GLOBAL_TABLE) {
    reader.string();
    reader.string();
  }
  for (let column = 0; column < columns; column++) {
    if (!(flags & METADATA_GLOBAL_TABLE)) {
      reader.string();
      reader.string();
    }
    reader.string();
    reader.skipType();
  }
  return Array.from({ length: reader.int() }, () => Array.from({ length: columns }, () => reader.bytes()));
}

class Connection {
  readonly #socket: Socket;
  #pending = Buffer.alloc(0);
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      this.#wake();
    });
    const fail = (error?: Error): void => {
      this.#failure ??= error ?? new Error('the connection was closed');
      this.#wake();
    };
    socket.on('error', fail);
    socket.on('close', () => fail());
  }

  async exchange(opcode: number, body: Buffer): Promise<Frame> {
    const header = Buffer.alloc(HEADER_BYTES);
    header[0] = VERSION_REQUEST;
    header[4] = opcode;
    header.writeInt32BE(body.length, 5);
    this.#socket.write(Buffer.concat([header, body]));
    let bytes = HEADER_BYTES;
    while (this.#pending.length < bytes) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.#pending.length >= HEADER_BYTES) bytes = HEADER_BYTES + this.#pending.readInt32BE(5);
    }
    const answer = {
      opcode: this.#pending[4] as number,
      body: this.#pending.subarray(HEADER_BYTES, bytes),
    };
    this.#pending = this.#pending.subarray(bytes);
    if (answer.opcode !== OP.error) return answer;
    const reader = new Reader(answer.body);
    throw new Error(`error 0x${reader.int().toString(16)} of Cassandra: ${reader.string()}`);
  }
}

async function login(connection: Connection, endpoint: CqlEndpoint): Promise<void> {
  const options = Buffer.concat([Buffer.from([0, 1]), shortString('CQL_VERSION'), shortString('3.0.0')]);
  const first = await connection.exchange(OP.startup, options);
  if (first.opcode === OP.ready) return;
  if (first.opcode !== OP.authenticate) throw new Error(`unexpected answer ${first.opcode} to STARTUP`);
  if (!endpoint.credentials) throw new Error('the server asks for a user and a password');
  const { user, password } = endpoint.credentials;
  const { opcode } = await connection.exchange(
    OP.authResponse,
    longBytes(Buffer.from(`\0${user}\0${password}`)),
  );
  if (opcode !== OP.authSuccess) throw new Error(`unexpected answer ${opcode} to the password`);
}

/** Runs the statements in order on a connection of their own; resolves to the rows of the last. */
export async function cql(
  endpoint: CqlEndpoint,
  statements: readonly string[],
  timeoutMs = TIMEOUT_MS,
): Promise<readonly CqlRow[]> {
  const { host, port, certificates } = endpoint;
  const socket = certificates
    ? connectTls({ host, port, ...clientTls(certificates) })
    : connect({ host, port });
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    await once(socket, certificates ? 'secureConnect' : 'connect');
    const connection = new Connection(socket);
    await login(connection, endpoint);
    let rows: readonly CqlRow[] = [];
    for (const statement of statements) {
      const parameters = Buffer.from([0, CONSISTENCY_ONE, 0]);
      const { body } = await connection.exchange(
        OP.query,
        Buffer.concat([longBytes(Buffer.from(statement)), parameters]),
      );
      rows = rowsOf(body);
    }
    return rows;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
