// SPDX-License-Identifier: MIT
//
// What is given to connections and told by them.

import type { PeerCertificate } from 'node:tls';
import type { HTTPMessage } from './message.js';

/** Bytes as an argument: any view of a buffer, or a buffer. */
export type BytesLike = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** One value of a header: a string of ISO-8859-1, a number, or bytes. */
export type HeaderValue = string | number | BytesLike;

/**
 * Headers of a request. Pairs (`[['Accept', 'a'], ['Accept', 'b']]`), `Map`, `Headers` and the `HTTPMessage` of a response
 * are sent in their order; a plain object in the order of its keys. An array as the value sends one header line for each
 * of its elements.
 */
export type HeadersLike =
  | { readonly [name: string]: HeaderValue | readonly HeaderValue[] }
  | HTTPMessage
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

/** A file with a descriptor: its `Content-Length` is what `fstat` says, less where it stands. */
export interface DescriptorFile {
  fileno(): number;
  /** Where it stands. Without it the system is asked, where it tells (Linux), else the start is taken. */
  tell?(): number | Promise<number>;
  /** Without `b` it is text: sent chunked, by what `read` gives. */
  readonly mode?: string;
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

/** A stream of the old style: it tells what it has by events. */
export interface OldStreamLike {
  pipe(destination: never): unknown;
  on(event: string, listener: () => void): unknown;
}

/**
 * The body of a request. A string (sent as ISO-8859-1), bytes, a `Blob` and a file get a `Content-Length`; everything
 * else is sent chunked, unless the headers say otherwise. A stream can be sent once.
 */
export type Body =
  | string
  | BytesLike
  | BlobLike
  | FileHandleLike
  | DescriptorFile
  | ReadableFile
  | StreamLike
  | OldStreamLike
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
