// SPDX-License-Identifier: MIT
//
// Compiled, never run: a program that uses the whole API under strict rules. What must not compile is marked.

import { open } from 'node:fs/promises';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable, Stream } from 'node:stream';
import {
  _create_unverified_context,
  BadStatusLine,
  type Body,
  CERT_NONE,
  CannotSendHeader,
  CannotSendRequest,
  create_default_context,
  type EncodedParam,
  type HeadersLike,
  type HeaderValue,
  HTTP_PORT,
  HTTPConnection,
  type HTTPConnectionOptions,
  HTTPException,
  HTTPMessage,
  HTTPResponse,
  HTTPS_PORT,
  HTTPSConnection,
  HTTPStatus,
  ImproperConnectionState,
  IncompleteRead,
  InvalidURL,
  LineTooLong,
  NOT_FOUND,
  NotConnected,
  error as OldName,
  proxy_from_environment,
  RemoteDisconnected,
  ResponseNotReady,
  responses,
  type SSLContext,
  type Timings,
  TimeoutError,
  type TLSInfo,
  type TimeoutPhase,
  TunnelError,
  UnimplementedFileMode,
  UnknownProtocol,
  UnknownTransferEncoding,
} from 'porthole';
import { createHost, type Guest, type Verdict } from 'porthole/host';

const ports: [80, 443] = [HTTP_PORT, HTTPS_PORT];
const code: 404 = NOT_FOUND;
const same: 404 = HTTPStatus.NOT_FOUND;
const phrase: 'Not Found' = responses[404];
const unknownPhrase: string | undefined = responses[599 as number];

class LoggingResponse extends HTTPResponse {
  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }
}

class UnixConnection extends HTTPConnection {
  static override debuglevel = 1;
  static override default_port = 8080;
  static override response_class = LoggingResponse;
  override putheader(name: string, ...values: HeaderValue[]): void {
    super.putheader(name.toLowerCase(), ...values);
  }
  override async send(data: Body): Promise<void> {
    await super.send(data);
  }
  override async connect(): Promise<void> {
    this.sock = net.connect('/run/app.sock');
  }
}

const options: HTTPConnectionOptions = {
  timeout: 2.5,
  source_address: ['127.0.0.1', 0],
  blocksize: 65536,
  max_response_headers: 200,
  signal: AbortSignal.timeout(1000),
  create_connection: async ({ host, port, timeout, source_address, signal }) => {
    const known: [string, number, number | null] = [host, port, timeout];
    signal?.throwIfAborted();
    return net.connect({ host: known[0], port: known[1], localAddress: source_address?.[0] ?? '0.0.0.0' });
  },
  lookup: (_hostname, _options, callback) => callback(null, '127.0.0.1', 4),
  on_informational: async ({ status, reason, headers }) => {
    console.log(status.toFixed(), reason.trim(), headers.get('link'));
  },
};

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1);
}

function* words(): Generator<string> {
  yield 'word';
}

export async function requests(): Promise<void> {
  const conn = new HTTPConnection('localhost', 8080, options);
  new HTTPConnection('localhost');
  new HTTPConnection('localhost:8080', { timeout: null });
  new HTTPConnection('localhost', '8080');
  new UnixConnection('localhost');

  const where: [string, number] = [conn.host, conn.port];
  const limits: [number | null, number, number] = [conn.timeout, conn.blocksize, conn.max_response_headers];
  const levels: number[] = [conn.debuglevel, conn.auto_open, conn.default_port, HTTPConnection.default_port];
  HTTPConnection.debuglevel = 1;
  HTTPConnection.auto_open = 0;
  HTTPConnection.response_class = LoggingResponse;
  // @ts-expect-error there is no such option
  new HTTPConnection('localhost', { time_out: 1 });
  const sock: Duplex | null = conn.sock;
  conn.response_class = LoggingResponse;
  conn.auto_open = 0;
  conn.timeout = null;

  const file = await open('file');
  const bodies: Array<Body | null | undefined> = [
    null,
    undefined,
    'text',
    Buffer.from('bytes'),
    new Uint16Array(2),
    new DataView(new ArrayBuffer(2)),
    new ArrayBuffer(2),
    new SharedArrayBuffer(2),
    new Blob(['blob']),
    file,
    file.createReadStream(),
    { fileno: () => 0 },
    { read: (size: number) => 'x'.repeat(Math.min(size, 0)), mode: 'r' },
    { read: async () => null },
    Readable.from(['a']),
    new Response('x').body,
    new Stream(),
    { fileno: () => 0, tell: () => 5, mode: 'rb' },
    new ReadableStream(),
    ['a', Buffer.from('b')],
    words(),
    pieces(),
  ];
  const headers: HeadersLike[] = [
    {},
    { 'X-Text': 'text', 'X-Number': 1, 'X-Bytes': Buffer.from('b'), 'X-Several': ['a', 2, new Uint8Array(1)] },
    new Map([['X-Text', 'text']]),
    new Headers({ 'X-Text': 'text' }),
    new HTTPMessage([['X-Text', 'text']]),
    [
      ['X-Text', 'text'],
      ['X-Several', ['a', 'b']],
    ] as const,
  ];
  for (const body of bodies) {
    for (const some of headers) await conn.request('POST', '/', body, some, { encode_chunked: true });
  }
  await conn.request('GET', '/');
  await conn.request('GET', '/', null, null);
  // @ts-expect-error a method is a string
  await conn.request(1, '/');
  // @ts-expect-error a number is no body
  await conn.request('PUT', '/', 5);
  // @ts-expect-error null is no header value
  await conn.request('GET', '/', null, { 'X-None': null });
  // @ts-expect-error there is no such option
  await conn.request('GET', '/', null, {}, { chunked: true });

  conn.putrequest('POST', '/', { skip_host: true, skip_accept_encoding: true });
  conn.putheader('X-Several', 'a', 2, Buffer.from('c'));
  await conn.endheaders();
  await conn.endheaders('body', { encode_chunked: false });
  await conn.send('more');
  await conn.send(pieces());
  conn.set_debuglevel(1);
  conn.set_tunnel('example.org', 80, { 'Proxy-Authorization': 'Basic bWU6c2VjcmV0' });
  conn.set_tunnel('example.org');
  const proxied: string[] | undefined = conn.get_proxy_response_headers()?.Via;
  await conn.connect();
  conn.sock = net.connect(80);
  conn.sock = null;
  conn.close();
  await conn[Symbol.asyncDispose]();
  console.log(where, limits, levels, sock, proxied);
}

export async function reading(conn: HTTPConnection): Promise<void> {
  const response: HTTPResponse = await conn.getresponse();
  const head: [number, string, 10 | 11, string, number] = [
    response.status,
    response.reason,
    response.version,
    response.url,
    response.code,
  ];
  const state: boolean[] = [
    response.closed,
    response.chunked,
    response.will_close,
    response.isclosed(),
    response.readable(),
  ];
  const left: number | null = response.length;
  response.debuglevel = 1;
  // @ts-expect-error the status is what the server sent
  response.status = 200;

  const all: Buffer = await response.read();
  const some: Buffer = await response.read(200);
  const rest: Buffer = await response.read(null);
  const count: number = await response.readinto(new Uint8Array(10));
  const parts: Buffer[] = [
    await response.read1(),
    await response.read1(5),
    await response.peek(),
    await response.peek(5),
  ];
  const lines: Buffer[] = [await response.readline(), await response.readline(100), ...(await response.readlines())];
  for await (const line of response) console.log(line.toString('latin1'));
  for await (const chunk of response.body) console.log(chunk.byteLength);
  const text: string = await response.text();
  const json: unknown = await response.json();
  const bytes: Uint8Array = await response.bytes();
  const buffer: ArrayBuffer = await response.arrayBuffer();

  const none: string | null = response.getheader('x-none');
  const fallback: string = response.getheader('x-none', 'nothing');
  const joined: string = response.getheader('x-none', ['a', 'b']);
  const numeric: string | number = response.getheader('x-none', 5);
  const pairs: Array<[string, string]> = response.getheaders();
  const fd: number = response.fileno();
  const older: [HTTPMessage, string, number] = [response.info(), response.geturl(), response.getcode()];
  const messages: HTTPMessage[] = [response.headers, response.msg, response.trailers];
  const raw: { socket: Duplex; head: Buffer } = response.detach();
  raw.socket.write(raw.head);
  response.close();
  await response[Symbol.asyncDispose]();
  // @ts-expect-error responses are made by getresponse()
  new HTTPResponse({});
  console.log(head, state, left, all, some, rest, count, parts, lines, text, json, bytes, buffer);
  console.log(none, fallback, joined, numeric, pairs, fd, older, messages);
}

export function headers(): void {
  const message = new HTTPMessage(['Content-Type', 'text/plain']);
  new HTTPMessage(() => []);
  new HTTPMessage([['Content-Type', 'text/plain']]);
  new HTTPMessage(new Headers({ 'Content-Type': 'text/plain' }));
  new HTTPMessage(message);
  new HTTPMessage();
  const first: string | null = message.get('content-type');
  const orNumber: string | number = message.get('content-type', 5);
  const several: string[] | null = message.get_all('content-type');
  const orEmpty: string[] = message.get_all('content-type', []);
  const here: boolean = message.has('content-type');
  const size: number = message.length;
  const lists: string[][] = [message.keys(), message.values(), [...message], message.getallmatchingheaders('a')];
  const items: Array<[string, string]> = message.items();
  const types: string[] = [message.get_content_type(), message.get_content_maintype(), message.get_content_subtype()];
  const charset: string | null = message.get_content_charset();
  const orUTF8: string = message.get_content_charset('utf-8');
  const param: string | EncodedParam | null = message.get_param('charset');
  const quoted: string | EncodedParam | undefined = message.get_param('charset', undefined, 'content-type', false);
  const params: Array<[string, string | EncodedParam]> | null = message.get_params();
  const name: string | null = message.get_filename();
  const text: string = message.as_string() + message.toString();
  console.log(first, orNumber, several, orEmpty, here, size, lists, items, types, charset, orUTF8, param, quoted);
  console.log(params, name, text);
}

export function errors(caught: unknown): void {
  if (caught instanceof IncompleteRead) {
    const [partial, expected]: [Buffer, number | null] = [caught.partial, caught.expected];
    console.log(partial, expected);
  } else if (caught instanceof RemoteDisconnected || caught instanceof BadStatusLine) {
    console.log(caught.line.trim());
  } else if (caught instanceof UnknownProtocol) {
    console.log(caught.version.trim());
  } else if (caught instanceof TimeoutError) {
    const phase: TimeoutPhase = caught.phase;
    const rest: Buffer | undefined = caught.partial;
    console.log(rest, phase, caught.limit.toFixed(), caught.elapsed.toFixed(), caught.code.trim());
  } else if (caught instanceof TunnelError) {
    console.log(caught.status.toFixed(), caught.reason.trim(), caught.code.trim());
  } else if (caught instanceof HTTPException) {
    console.log(caught.code.trim(), caught.message, caught.cause, caught.hint?.trim());
  }
  const made: HTTPException[] = [
    new HTTPException('message', { cause: caught, code: 'ERR_MINE' }),
    new OldName(),
    new NotConnected(),
    new InvalidURL(),
    new UnknownProtocol('HTTP/2'),
    new UnknownTransferEncoding(),
    new UnimplementedFileMode(),
    new IncompleteRead(Buffer.from('partial'), 3),
    new ImproperConnectionState(),
    new CannotSendRequest(),
    new CannotSendHeader(),
    new ResponseNotReady(),
    new BadStatusLine('line'),
    new LineTooLong('header line'),
    new RemoteDisconnected(),
  ];
  const others: Error[] = [new TimeoutError('receive', 1, 1), new TunnelError(407, 'Proxy Authentication Required')];
  console.log(made, others, ports, code, same, phrase, unknownPhrase);
}

/** HTTPS, proxies, and one request in full control. */
export async function control(file: string): Promise<Timings | null> {
  const context: SSLContext = create_default_context({ cafile: file, system: true });
  context.minimum_version = 'TLSv1.3';
  context.load_cert_chain(new URL(`file://${file}`), null, () => 'secret');
  context.load_verify_locations({ capath: '/etc/ssl/certs', cadata: new Uint8Array(1), crlfile: file });
  // @ts-expect-error there is no such version
  context.maximum_version = 'SSLv3';
  const open = _create_unverified_context();
  open.verify_mode = CERT_NONE;
  const proxy = proxy_from_environment('https://a.example/');
  const conn = new HTTPSConnection(proxy?.host ?? 'a.example', proxy?.port ?? null, {
    context,
    proxy_context: { rejectUnauthorized: true },
    timeouts: { lookup: 1, connect: 2, tls: 3, send: 4, continue: 5, headers: 6, idle: null },
    deadline: 30,
    limits: { headers: 50, body: 1e9 },
    retry_stale: 1,
  });
  if (proxy !== null) conn.set_tunnel('a.example', 443, proxy.headers);
  // @ts-expect-error no such timeout
  conn.timeouts = { conect: 1 };
  try {
    await conn.request('PUT', '/', ['a', 'b'], {}, {
      expect_continue: true,
      trailers: async () => ({ 'X-Sum': 1 }),
      signal: AbortSignal.timeout(10),
      deadline: 5,
    });
    // @ts-expect-error only a whole request has trailers
    await conn.endheaders(null, { trailers: {} });
    const response = await conn.getresponse();
    const raw: string[] = response.raw_headers;
    const info: TLSInfo | null = conn.tls_info();
    if (response.status === 101) conn.detach().socket.write(String(raw.length) + String(info?.peer_certificate?.subject.CN));
    return response.reused ? null : response.timings;
  } catch (error) {
    if (error instanceof HTTPException && error.retry_safe === 'yes') return null;
    if (error instanceof TunnelError) console.log(conn.tunnel_response?.body.length);
    throw error;
  }
}

// porthole/host
async function hosted(bytes: Uint8Array): Promise<void> {
  const host = createHost({
    allow: ['https://api.example.com:443'],
    deny: ['*.internal.example'],
    limits: { connections: 4, bytes_in: Infinity },
    secrets: { TOKEN: { value: 'secret', hosts: ['https://api.example.com'] } },
    tls: { cafile: 'ca.pem' },
    audit: (line) => console.log(line.event, line.allowed, line.rule),
  });
  const verdict: Verdict = await host.explain('https://api.example.com/');
  const guest: Guest = await host.run(bytes, { memory: 1 << 20, time: 5, log: console.log });
  guest.write(await guest.call('text'), verdict.reason);
  const answer: Buffer = guest.read(0, 16);
  console.log(answer);
  const memory = new WebAssembly.Memory({ initial: 1 });
  new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), host.imports(memory));
  // @ts-expect-error there is no such limit
  createHost({ limits: { requests: 1 } });
  await host.close();
}
hosted(new Uint8Array());
