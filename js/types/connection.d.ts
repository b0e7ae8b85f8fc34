// SPDX-License-Identifier: MIT
//
// HTTPConnection and its options.

import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { HTTPResponse } from './response.js';
import type { SSLContext } from './https.js';
import type { Address, Body, CreateConnectionTarget, HeadersLike, HeaderValue, InformationalResponse, Limits, Timeouts, TLSInfo, TunnelResponse } from './values.js';

export interface HTTPConnectionOptions {
  /**
   * Seconds, above 0, that any one operation may wait with nothing moving, connecting included; null for no limit. Then
   * a TimeoutError is raised.
   *
   * @default null
   */
  timeout?: number | null | undefined;
  /**
   * Where to connect from: an IP address, or `''` for any, and a port, or 0 for any.
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
   * Ends every operation of the connection when it is aborted: they reject with `signal.reason`, or an `AbortError`
   * where that is null.
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
   * Called for every 1xx response before the final one, in the async context of its request. What it throws, or a promise
   * of it rejects with, is what getresponse() rejects with.
   *
   * @default undefined
   */
  on_informational?: ((response: InformationalResponse) => unknown) | null | undefined;
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
  /** A Unix socket to connect to, instead of host and port; `'\0name'` is one of Linux's abstract ones. */
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
  /** At 1 and above what is sent and received is printed, as Python does. That of the class counts where there is none. */
  debuglevel: number;
  static debuglevel: number;
  /** Whether to connect by itself: 1, or 0 for no. That of the class counts where there is none. */
  auto_open: number;
  static auto_open: number;
  /** The port that `Host` leaves out, and that is used when none is given. That of the class counts where there is none. */
  default_port: number;
  static default_port: number;
  /** How many header lines a response may have: the limit `headers`. */
  max_response_headers: number;
  signal: AbortSignal | null;
  create_connection: ((target: CreateConnectionTarget) => Duplex | Promise<Duplex>) | null;
  lookup: LookupFunction | null;
  on_informational: ((response: InformationalResponse) => unknown) | null;
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
  /** The class of the responses: HTTPResponse or a subclass. That of the class counts where there is none. */
  response_class: typeof HTTPResponse;
  static response_class: typeof HTTPResponse;
  /**
   * The socket in use. Assigning a connected `Duplex` makes the connection use it. It is null when not connected, once it has failed, and
   * right after getresponse() when the response will close it.
   */
  get sock(): Duplex | null;
  set sock(socket: Duplex | null | undefined);

  /**
   * Sends a request. Resolves when all of it is with the socket, or when the server has answered before that: the upload
   * may go on beside the reading then. A subclass that overrides putrequest(), putheader(), endheaders() or send() has them
   * called.
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

  /** Closes the connection, at any time, and a response that is not read to its end. What is under way rejects with NotConnected. */
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
