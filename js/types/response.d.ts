// SPDX-License-Identifier: MIT
//
// HTTPResponse.

import type { Duplex } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { HTTPMessage } from './message.js';
import type { BytesLike, Timings } from './values.js';

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

  /**
   * Gives the socket away, after a 101 or a 2xx to CONNECT, or of a response whose body runs to the end of the connection.
   *
   * @returns a stream, and the bytes that were received and that no read was given
   * @throws {ImproperConnectionState} for a body with a length or chunks, or while an upload is under way
   */
  detach(): { socket: Duplex; head: Buffer };

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
