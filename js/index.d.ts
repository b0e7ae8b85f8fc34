// SPDX-License-Identifier: MIT
//
// Type declarations of `porthole`. Names, order of arguments and behaviour are those of Python's http.client;
// js/README.md is the manual. Times are in seconds, sizes in bytes, unless said otherwise.

/// <reference types="node" />

import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';

export * from '../bindings/generated/status.js';

/** The default port of HTTP. */
export declare const HTTP_PORT: 80;

/** The default port of HTTPS. */
export declare const HTTPS_PORT: 443;

// ---- values ----

/** Bytes as an argument: any view of a buffer, or a buffer. */
export type BytesLike = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** One value of a header: a string of ISO-8859-1, a number, or bytes. */
export type HeaderValue = string | number | BytesLike;

/**
 * Headers of a request. Pairs (`[['Accept', 'a'], ['Accept', 'b']]`), `Map` and `Headers` are sent in their order; a
 * plain object in the order of its keys. An array as the value sends one header line for each of its elements.
 */
export type HeadersLike =
  | { readonly [name: string]: HeaderValue | readonly HeaderValue[] }
  | Iterable<readonly [name: string, value: HeaderValue | readonly HeaderValue[]]>;

/** An object to read from. With a `mode` that has no `b` it gives text, sent as ISO-8859-1. */
export interface ReadableFile {
  /**
   * @param size how many bytes (or characters) to give at most
   * @returns the next ones; empty or nothing at the end
   */
  read(size: number): string | BytesLike | null | undefined | Promise<string | BytesLike | null | undefined>;
  readonly mode?: string;
}

/** A file with a descriptor: its `Content-Length` comes from `fstat`. */
export interface DescriptorFile {
  fileno(): number;
}

/** What `fs.promises.open` gives. */
export interface FileHandleLike {
  readonly fd: number;
  stat(): Promise<unknown>;
  read(...args: never[]): Promise<unknown>;
}

/** A `Blob` or a `File`. */
export interface BlobLike {
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A `ReadableStream` of the web. */
export interface StreamLike {
  readonly locked: boolean;
  getReader(): unknown;
}

/**
 * The body of a request. A string (sent as ISO-8859-1), bytes, a `Blob` and a file get a `Content-Length`; everything
 * else is sent chunked, unless the headers say otherwise.
 */
export type Body =
  | string
  | BytesLike
  | BlobLike
  | FileHandleLike
  | DescriptorFile
  | ReadableFile
  | StreamLike
  | Iterable<string | BytesLike>
  | AsyncIterable<string | BytesLike>;

/** A host and a port to connect from. Port 0 lets the system choose. */
export type Address = readonly [host: string, port: number];

/** A 1xx response, before the final one. */
export interface InformationalResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: HTTPMessage;
}

/** What `create_connection` is told. */
export interface CreateConnectionTarget {
  /** The host to connect to, without brackets: with `set_tunnel` that of the proxy. */
  readonly host: string;
  readonly port: number;
  /** Seconds, or null for no limit. */
  readonly timeout: number | null;
  readonly source_address: Address | null;
  readonly signal: AbortSignal | null;
}

/** Seconds by what is waited for, over `timeout`. null for no limit. */
export interface Timeouts {
  /** A name to be looked up. Without a limit of its own that counts as connecting. */
  readonly lookup?: number | null | undefined;
  readonly connect?: number | null | undefined;
  /** The handshake, with the proxy or with the server. */
  readonly tls?: number | null | undefined;
  /** The socket to take more. */
  readonly send?: number | null | undefined;
  /** A 100, with `expect_continue`. */
  readonly continue?: number | null | undefined;
  /** The head of the answer, also a proxy's to CONNECT. */
  readonly headers?: number | null | undefined;
  /** The next piece of a body. */
  readonly idle?: number | null | undefined;
}

/** What a server may make us keep. One more is an error that names the limit: `limit_name` and `limit`. */
export interface Limits {
  /** Bytes of a line of a head, of trailers, or of a chunk's size: 65536 by default. */
  readonly line?: number | undefined;
  /** Header lines of a response: 100. */
  readonly headers?: number | undefined;
  /** Bytes of a head: 262144. */
  readonly head?: number | undefined;
  /** 1xx responses before the final one: 100. */
  readonly interim?: number | undefined;
  /** Trailer lines: 100. */
  readonly trailers?: number | undefined;
  /** Bytes of chunk extensions, summed over a body: 16384. */
  readonly chunk_extension?: number | undefined;
  /** Bytes of a body: Infinity. */
  readonly body?: number | undefined;
}

/** A proxy's answer to CONNECT. */
export interface TunnelResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: HTTPMessage;
  /** The first 64 KiB of the body of a refusal; empty after a 2xx. */
  readonly body: Buffer;
}

/** What was agreed on in a TLS handshake. */
export interface TLSInfo {
  /** Such as `'TLSv1.3'`. */
  readonly protocol: string;
  /** Such as `'TLS_AES_256_GCM_SHA384'`. */
  readonly cipher: string;
  /** `'http/1.1'`, or null when the server does not know ALPN. */
  readonly alpn: string | null;
  readonly peer_certificate: PeerCertificate | null;
  /** Whether a session was resumed. */
  readonly reused: boolean;
}

/** When things happened, in milliseconds since the request began: null for what did not, or not yet. */
export interface Timings {
  readonly lookup: number | null;
  readonly connect: number | null;
  readonly tls: number | null;
  readonly sent: number | null;
  readonly first_byte: number | null;
  readonly end: number | null;
}

// ---- HTTPConnection ----

export interface HTTPConnectionOptions {
  /**
   * Seconds, above 0, that any one operation may wait with nothing moving, connecting included; null for no limit. Then
   * a TimeoutError is raised.
   *
   * @default null
   */
  timeout?: number | null | undefined;
  /**
   * Where to connect from.
   *
   * @default null
   */
  source_address?: Address | null | undefined;
  /**
   * Bytes per read of a file that is sent as a body.
   *
   * @default 16384
   */
  blocksize?: number | undefined;
  /**
   * How many header lines a response may have.
   *
   * @default 100
   */
  max_response_headers?: number | null | undefined;
  /**
   * Ends every operation of the connection when it is aborted: they reject with `signal.reason`.
   *
   * @default undefined
   */
  signal?: AbortSignal | null | undefined;
  /**
   * Makes the transport: the hook for Unix sockets, tests and other transports. The socket may still be connecting.
   *
   * @default net.connect
   */
  create_connection?: ((target: CreateConnectionTarget) => Duplex | Promise<Duplex>) | null | undefined;
  /**
   * How names are resolved, as the option of `net.connect`.
   *
   * @default dns.lookup
   */
  lookup?: LookupFunction | null | undefined;
  /**
   * Called for every 1xx response before the final one.
   *
   * @default undefined
   */
  on_informational?: ((response: InformationalResponse) => void) | null | undefined;
  /** Seconds by what is waited for. */
  timeouts?: Timeouts | null | undefined;
  /**
   * Seconds from the start of a request to the last byte of its response, whatever happens in between.
   *
   * @default null
   */
  deadline?: number | null | undefined;
  /** What a server may make us keep. */
  limits?: Limits | null | undefined;
  /** A Unix socket to connect to, instead of host and port. */
  socket_path?: string | null | undefined;
  /** Speaks TLS to the proxy of set_tunnel(). */
  proxy_context?: SSLContext | ConnectionOptions | null | undefined;
  /**
   * At 1 a request that met a kept-alive connection which the server had closed, with no byte of an answer and a body
   * that can be sent again, goes out once more on a new connection.
   *
   * @default 0
   */
  retry_stale?: number | boolean | undefined;
}

export interface EndHeadersOptions {
  /**
   * Whether to chunk the body when the headers have a `Transfer-Encoding` of the caller's own.
   *
   * @default false
   */
  encode_chunked?: boolean | undefined;
}

export interface RequestOptions extends EndHeadersOptions {
  /**
   * Whether to send `Expect: 100-continue`, and the body only after a 100 or so many seconds (true: 1). After a final
   * status instead the body is not sent.
   *
   * @default false
   */
  expect_continue?: boolean | number | undefined;
  /** Sent after a chunked body: headers, or a function that is called once the body is sent. */
  trailers?: HeadersLike | (() => HeadersLike | null | undefined | Promise<HeadersLike | null | undefined>) | null | undefined;
  /** Ends this request and the reading of its response. */
  signal?: AbortSignal | null | undefined;
  /** In place of the connection's. */
  deadline?: number | null | undefined;
}

export interface PutRequestOptions {
  /**
   * Leaves the automatic `Host` header out.
   *
   * @default false
   */
  skip_host?: boolean | undefined;
  /**
   * Leaves the automatic `Accept-Encoding: identity` out.
   *
   * @default false
   */
  skip_accept_encoding?: boolean | undefined;
}

/** One connection to one HTTP server, on which requests follow each other. */
export declare class HTTPConnection {
  /**
   * Connects to nothing yet: that happens with the first request, or by connect().
   *
   * @param host a name or an address, with a port or without: `'www.python.org'`, `'localhost:8080'`, `'[::1]:8080'`
   * @param port the port; null takes the one in `host`, else the default one
   * @throws {InvalidURL} for a host or port that can't be
   */
  constructor(host: string, port?: number | string | null, options?: HTTPConnectionOptions);
  constructor(host: string, options?: HTTPConnectionOptions);

  /** The host, without brackets and port. */
  host: string;
  port: number;
  /** Seconds, or null for no limit. */
  timeout: number | null;
  source_address: Address | null;
  /** Bytes per read of a file that is sent as a body. */
  blocksize: number;
  /** At 1 and above what is sent and received is printed, as Python does. */
  debuglevel: number;
  /** Whether to connect by itself: 1, or 0 for no. */
  auto_open: number;
  /** The port that `Host` leaves out, and that is used when none is given. */
  static default_port: number;
  default_port: number;
  /** How many header lines a response may have: the limit `headers`. */
  max_response_headers: number;
  signal: AbortSignal | null;
  create_connection: ((target: CreateConnectionTarget) => Duplex | Promise<Duplex>) | null;
  lookup: LookupFunction | null;
  on_informational: ((response: InformationalResponse) => void) | null;
  get timeouts(): Timeouts;
  set timeouts(timeouts: Timeouts | null | undefined);
  /** Seconds for a request and its response, or null. */
  deadline: number | null;
  /** Counts from the next connection on. */
  get limits(): Required<Limits>;
  set limits(limits: Limits | null | undefined);
  socket_path: string | null;
  proxy_context: SSLContext | ConnectionOptions | null;
  retry_stale: number;
  /** How many requests were sent. */
  readonly request_count: number;
  /** The proxy's answer to CONNECT, refused or not; null before there is one. */
  readonly tunnel_response: TunnelResponse | null;
  /** The class of the responses: HTTPResponse or a subclass. */
  response_class: typeof HTTPResponse;
  /**
   * The socket in use. Assigning a connected `Duplex` makes the connection use it. It is null when not connected, and
   * right after getresponse() when the response will close it.
   */
  get sock(): Duplex | null;
  set sock(socket: Duplex | null | undefined);

  /**
   * Sends a request. Resolves when all of it is with the socket, or when the server has answered before that.
   *
   * @param method a token, sent as spelt
   * @param url the request target: ASCII, without spaces
   * @throws {TypeError} for an argument that can't be sent: nothing was sent, and the connection stays usable
   * @throws {InvalidURL} for a URL that can't be sent
   * @throws {CannotSendRequest} when the request before is not finished
   * @throws {TimeoutError}
   */
  request(
    method: string,
    url: string,
    body?: Body | null,
    headers?: HeadersLike | null,
    options?: RequestOptions,
  ): Promise<void>;

  /**
   * Waits for the head of the answer. 1xx responses are skipped, but 101 is final.
   *
   * @throws {ResponseNotReady} when no request was sent, or the response before was not read to its end
   * @throws {RemoteDisconnected} when the server closed the connection instead of answering
   * @throws {BadStatusLine | UnknownProtocol | LineTooLong | HTTPException} for a head that breaks the protocol
   * @throws {IncompleteRead} for a head that ends early
   * @throws {TimeoutError}
   */
  getresponse(): Promise<HTTPResponse>;

  /** @param level 0 for silence */
  set_debuglevel(level: number): void;

  /**
   * Makes the connection go through an HTTP proxy, by CONNECT: the constructor's host is the proxy then.
   *
   * @param host where the tunnel ends
   * @param headers for the proxy
   * @throws {ImproperConnectionState} when already connected
   * @throws {InvalidURL} for a host or port that can't be
   * @throws {TypeError} for headers that can't be sent
   */
  set_tunnel(host: string, port?: number | string | null, headers?: HeadersLike | null): void;

  /** The headers of the proxy's answer to CONNECT by name, as received; null before there is one. */
  get_proxy_response_headers(): { [name: string]: string[] } | null;

  /** What TLS agreed on; null without TLS, and when not connected. */
  tls_info(): TLSInfo | null;

  /**
   * Gives the socket away, after a 101 or a 2xx to CONNECT. The connection forgets it, and can be used again.
   *
   * @returns a stream, and the bytes that were received already
   * @throws {ImproperConnectionState} when the connection is not at that point
   */
  detach(): { socket: Duplex; head: Buffer };

  /**
   * Connects. A subclass may override this and set `sock`.
   *
   * @throws {TunnelError} when the proxy refuses the tunnel
   * @throws {TimeoutError}
   * @throws {Error} with Node's `code` (`ECONNREFUSED`, `ENOTFOUND` …)
   */
  connect(): Promise<void>;

  /** Closes the connection, at any time. Operations under way reject with NotConnected. */
  close(): void;

  /**
   * Begins a request by hand: nothing is sent before endheaders().
   *
   * @throws {CannotSendRequest | InvalidURL | TypeError}
   */
  putrequest(method: string, url: string, options?: PutRequestOptions): void;

  /**
   * Adds a header. Several values become one header with continuation lines.
   *
   * @throws {CannotSendHeader} when no request was begun
   * @throws {TypeError} for a name or value that can't be sent
   */
  putheader(name: string, ...values: HeaderValue[]): void;

  /**
   * Ends the headers and sends them, together with a body.
   *
   * @throws {CannotSendHeader | TypeError | TimeoutError}
   */
  endheaders(message_body?: Body | null, options?: EndHeadersOptions): Promise<void>;

  /**
   * Sends data as it is.
   *
   * @throws {NotConnected} when closed, and `auto_open` is 0
   * @throws {TimeoutError}
   */
  send(data: Body): Promise<void>;

  /** Closes the connection. */
  [Symbol.asyncDispose](): Promise<void>;
}

// ---- HTTPSConnection ----

/** The peer's certificate is not verified. */
export declare const CERT_NONE: 0;
/** The same as CERT_REQUIRED. */
export declare const CERT_OPTIONAL: 1;
/** The peer's certificate is verified. */
export declare const CERT_REQUIRED: 2;

/** A version of TLS. */
export type TLSVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** Where certificates of CAs are. */
export interface TrustedLocations {
  /** A file of certificates in PEM form. */
  cafile?: string | URL | null | undefined;
  /** A folder of such files: those under hashed names (`openssl rehash`), else all `.pem`, `.crt` and `.cer`. */
  capath?: string | null | undefined;
  /** Certificates themselves: PEM text, or DER bytes behind each other. */
  cadata?: string | BytesLike | null | undefined;
}

/** How TLS is spoken. One context serves any number of connections. */
export declare class SSLContext {
  /** Verifies certificates and names, trusts what Node trusts, and speaks TLS 1.2 and 1.3. */
  constructor();
  /** Whether the host is looked for in the certificate. */
  check_hostname: boolean;
  verify_mode: 0 | 1 | 2;
  minimum_version: TLSVersion;
  maximum_version: TLSVersion;

  /**
   * Adds a certificate of our own, for servers that ask for one. The files are read at once.
   *
   * @param keyfile its key; when there is none it is in `certfile`
   * @throws {Error} Node's own, when a file can't be read, the password is wrong or the key is another one's
   */
  load_cert_chain(
    certfile: string | URL,
    keyfile?: string | URL | null,
    password?: string | BytesLike | (() => string | BytesLike) | null,
  ): void;

  /**
   * Adds to what is trusted. The files are read at once. With a `crlfile` every certificate of a chain is looked for in the
   * list of its issuer, which has to be there.
   *
   * @throws {Error} Node's own, when a file can't be read
   * @throws {TypeError} when there is no certificate in it
   */
  load_verify_locations(locations: TrustedLocations & { crlfile?: string | URL | null | undefined }): void;

  /** What is offered by ALPN. No protocol but `http/1.1` is ever spoken. */
  set_alpn_protocols(protocols: readonly string[]): void;
  /** @param list as OpenSSL writes it @throws {Error} Node's own, when there is none of them */
  set_ciphers(list: string): void;
  /** What it stands for, as options of `tls.connect`. */
  options(): ConnectionOptions;
}

/**
 * A context that verifies certificates and names.
 *
 * @param options with a location only those certificates are trusted; `system` trusts what the system trusts
 */
export declare function create_default_context(options?: TrustedLocations & { system?: boolean | undefined }): SSLContext;

/** A context that verifies nothing. */
export declare function _create_unverified_context(): SSLContext;

export interface HTTPSConnectionOptions extends HTTPConnectionOptions {
  /**
   * How TLS is spoken: a context, or options of `tls.connect`.
   *
   * @default create_default_context()
   */
  context?: SSLContext | ConnectionOptions | null | undefined;
  /** @deprecated use `context.load_cert_chain` */
  key_file?: string | URL | null | undefined;
  /** @deprecated use `context.load_cert_chain` */
  cert_file?: string | URL | null | undefined;
  /** @deprecated use `context.check_hostname` */
  check_hostname?: boolean | null | undefined;
}

/** A connection over TLS. Certificates and host names are verified. */
export declare class HTTPSConnection extends HTTPConnection {
  constructor(host: string, port?: number | string | null, options?: HTTPSConnectionOptions);
  constructor(host: string, options?: HTTPSConnectionOptions);
  get context(): SSLContext | ConnectionOptions;
  set context(context: SSLContext | ConnectionOptions | null | undefined);
}

/** The proxy that the environment names. */
export interface Proxy {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** The `Proxy-Authorization`, when the variable has credentials. */
  readonly headers: Record<string, string>;
}

/**
 * The proxy for a URL, by the variables that curl reads. Nothing is read from the environment unless this is called.
 *
 * @param env `process.env` by default
 * @returns null for no proxy
 * @throws {TypeError} for a kind of proxy that is not supported
 * @throws {InvalidURL}
 */
export declare function proxy_from_environment(
  url: string | URL,
  env?: { readonly [name: string]: string | undefined },
): Proxy | null;

// ---- HTTPResponse ----

/** A response, as getresponse() gives it. */
export declare class HTTPResponse {
  /** Responses are made by getresponse(). A subclass passes on what it is given. */
  protected constructor(source: object);

  readonly status: number;
  readonly reason: string;
  /** 10 for HTTP/1.0, 11 for HTTP/1.1. */
  readonly version: 10 | 11;
  readonly headers: HTTPMessage;
  /** The same as `headers`. */
  readonly msg: HTTPMessage;
  debuglevel: number;
  /** Whether the body has been read to its end, or close() was called. */
  readonly closed: boolean;
  /** Body bytes that are left, or null when that is not known. */
  readonly length: number | null;
  /** Whether the body is chunked. */
  readonly chunked: boolean;
  /** Whether the connection ends with this response. */
  readonly will_close: boolean;
  readonly url: string;
  /** The same as `status`. */
  readonly code: number;
  /** The trailer section of a chunked body: empty until the body has been read. */
  readonly trailers: HTTPMessage;
  /** The headers as received: name, value, name, value … */
  readonly raw_headers: string[];
  /** Whether the connection had carried a request before this one. */
  readonly reused: boolean;
  readonly timings: Timings;
  /** The rest of the body as a byte stream of the web. Cancelling it closes the response. */
  readonly body: ReadableStream<Uint8Array>;

  /**
   * Reads from the body.
   *
   * @param amt how many bytes; less are given only at the body's end, none after it. Nothing, null or a negative number
   *   reads the rest
   * @throws {IncompleteRead} when the body ended early or its framing broke
   * @throws {TimeoutError}
   */
  read(amt?: number | null): Promise<Buffer>;

  /**
   * Reads into memory of the caller's, which is filled unless the body ends first.
   *
   * @returns how many bytes, 0 after the end
   * @throws {IncompleteRead | TimeoutError}
   */
  readinto(view: BytesLike): Promise<number>;

  /**
   * Reads what is at hand, waiting only when nothing is.
   *
   * @param n how many bytes at most; negative for no limit
   * @throws {IncompleteRead | TimeoutError}
   */
  read1(n?: number | null): Promise<Buffer>;

  /** What read1() would give, without taking it. Never raises IncompleteRead. */
  peek(n?: number | null): Promise<Buffer>;

  /**
   * Reads up to and including a line feed.
   *
   * @param limit how many bytes at most; negative for no limit
   * @throws {IncompleteRead | TimeoutError}
   */
  readline(limit?: number | null): Promise<Buffer>;

  /**
   * Reads the rest as lines.
   *
   * @param hint no further line is read once this many bytes were
   * @throws {IncompleteRead | TimeoutError}
   */
  readlines(hint?: number | null): Promise<Buffer[]>;

  /**
   * The value of a header; the values of repeats are joined by `', '`.
   *
   * @param default_value what to give when there is none; null by default. An iterable that is no string is joined too
   */
  getheader<T = null>(name: string, default_value?: T): string | (T extends Iterable<unknown> ? string : T);

  /** All headers in the order and spelling they were received in. */
  getheaders(): Array<[name: string, value: string]>;

  /** @throws {Error} when there is no descriptor */
  fileno(): number;
  isclosed(): boolean;
  /** Gives the response up. A body that was not read to its end takes its connection with it. */
  close(): void;
  readable(): true;
  info(): HTTPMessage;
  geturl(): string;
  getcode(): number;

  /** Iterates over the lines of the body. For pieces as they arrive use `body`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer>;

  /** The rest as text, in the charset of Content-Type or UTF-8. */
  text(): Promise<string>;
  /** The rest as JSON. */
  json(): Promise<unknown>;
  /** The rest. */
  bytes(): Promise<Uint8Array>;
  /** The rest. */
  arrayBuffer(): Promise<ArrayBuffer>;

  /** Gives the response up, as close() does. */
  [Symbol.asyncDispose](): Promise<void>;
}

// ---- HTTPMessage ----

/** A parameter in the encoding of RFC 2231. Each character of the value stands for one byte. */
export type EncodedParam = [charset: string | null, language: string | null, value: string];

/**
 * The fields of a head, or of a trailer section. Names compare without case; values are ISO-8859-1 strings with outer
 * spaces and tabs stripped. Iterating over it gives the names.
 */
export declare class HTTPMessage {
  /** @param source name, value, name, value …, or a function that gives them and is called when they are needed */
  constructor(source?: readonly string[] | (() => readonly string[]));

  /** How many fields there are, repeats included. */
  readonly length: number;
  /**
   * The value of the first field of a name.
   *
   * @param failobj what to give when there is none; null by default
   */
  get<T = null>(name: string, failobj?: T): string | T;
  /** The values of all fields of a name. */
  get_all<T = null>(name: string, failobj?: T): string[] | T;
  has(name: string): boolean;
  /** The names, repeats included. */
  keys(): string[];
  values(): string[];
  items(): Array<[name: string, value: string]>;
  [Symbol.iterator](): IterableIterator<string>;
  /** The media type in lower case: `text/plain` when there is none or it isn't of the form `a/b`. */
  get_content_type(): string;
  get_content_maintype(): string;
  get_content_subtype(): string;
  /** The `charset` of Content-Type, in lower case. */
  get_content_charset<T = null>(failobj?: T): string | T;
  /**
   * One parameter of a header.
   *
   * @param failobj what to give when there is none; null by default
   * @param header `'content-type'` by default
   * @param unquote whether to take quotes off; true by default
   */
  get_param<T = null>(param: string, failobj?: T, header?: string, unquote?: boolean): string | EncodedParam | T;
  /** All parameters of a header, with what stands before the first `;` as `[it, '']`. */
  get_params<T = null>(
    failobj?: T,
    header?: string,
    unquote?: boolean,
  ): Array<[name: string, value: string | EncodedParam]> | T;
  /** The file name of Content-Disposition or Content-Type, decoded. */
  get_filename<T = null>(failobj?: T): string | T;
  /** A line `Name: value` for each field of a name. */
  getallmatchingheaders(name: string): string[];
  /** A line `Name: value` for each field, then an empty line, all ended by `\n`. */
  as_string(): string;
  toString(): string;
}

// ---- errors ----

export interface ErrorOptions {
  cause?: unknown;
}

/** What every error of an operation carries, those of the system included. */
export interface OperationError {
  /** What was under way. */
  phase?: TimeoutPhase;
  /** What the connection was to: with set_tunnel() the proxy. */
  host?: string;
  port?: number;
  /** Bytes of the request that were given to the socket. */
  bytes_sent?: number;
  /** Bytes of the response that were received. */
  bytes_received?: number;
  /** Bytes of the body that were received and not given, where there are any. */
  partial?: Buffer;
  /** Can the request be sent again: `'yes'` when no byte of it can have been acted on, `'no'` when it was answered. */
  retry_safe?: 'yes' | 'no' | 'unknown';
}

export interface HTTPException extends OperationError {}

/** The base of what the protocol raises. Match `code`, or use `instanceof`. */
export declare class HTTPException extends Error {
  constructor(message?: string, options?: ErrorOptions & { code?: string });
  /** Such as `'ERR_HTTP_BAD_STATUS_LINE'`. */
  code: string;
  cause?: unknown;
  /** The limit that was passed, by its name in `limits`, and its value. */
  limit_name?: keyof Limits;
  limit?: number;
}

export { HTTPException as error };

/** Sending while closed with `auto_open` 0; an operation that close() ended. */
export declare class NotConnected extends HTTPException {}

/** A host, port or URL that can't be used. */
export declare class InvalidURL extends HTTPException {}

/** The server speaks a version of HTTP other than 1.x. */
export declare class UnknownProtocol extends HTTPException {
  constructor(version: string, options?: ErrorOptions);
  version: string;
}

/** A `Transfer-Encoding` other than exactly `chunked`. */
export declare class UnknownTransferEncoding extends HTTPException {}

/** Kept for compatibility: never raised. */
export declare class UnimplementedFileMode extends HTTPException {}

/** The head or the body ended early, or the chunk framing broke. */
export declare class IncompleteRead extends HTTPException {
  constructor(partial: Buffer, expected?: number | null, options?: ErrorOptions);
  /** All body bytes received and not yet returned. */
  partial: Buffer;
  /** Bytes still missing, or null when that is not known. */
  expected: number | null;
}

/** The base of the next three: calls out of order. */
export declare class ImproperConnectionState extends HTTPException {}

/** A new request while the one before is not finished. */
export declare class CannotSendRequest extends ImproperConnectionState {}

/** A header with no request begun. */
export declare class CannotSendHeader extends ImproperConnectionState {}

/** No request was sent, or the response before was not read to its end. */
export declare class ResponseNotReady extends ImproperConnectionState {}

/** The status line was not understood. */
export declare class BadStatusLine extends HTTPException {
  constructor(line: string, options?: ErrorOptions & { message?: string });
  /** The line as received. */
  line: string;
}

/** A line over the limit of 65 536 bytes. */
export declare class LineTooLong extends HTTPException {}

/** The peer closed the connection before any byte of a response: `code` is `'ECONNRESET'`, `line` empty. */
export declare class RemoteDisconnected extends BadStatusLine {
  constructor(message?: string, options?: ErrorOptions);
}

/** What was being waited for when the time ran out. */
export type TimeoutPhase = 'lookup' | 'connect' | 'tls' | 'send' | 'continue' | 'receive';

export interface TimeoutError extends Omit<OperationError, 'phase'> {}

/** Nothing moved for as long as the timeout allows, or the deadline has passed. */
export declare class TimeoutError extends Error {
  constructor(phase: TimeoutPhase, limit: number, elapsed: number, what?: string);
  /** `'ETIMEDOUT'` */
  code: string;
  phase: TimeoutPhase;
  /** Seconds that were allowed. */
  limit: number;
  /** Seconds that went by. */
  elapsed: number;
}

export interface TunnelError extends OperationError {}

/** The proxy answered CONNECT with anything but 2xx: more of it is in `tunnel_response`. */
export declare class TunnelError extends Error {
  constructor(status: number, reason: string);
  /** `'ERR_TUNNEL'` */
  code: string;
  status: number;
  reason: string;
}
