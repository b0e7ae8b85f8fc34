// SPDX-License-Identifier: MIT
//
// The errors.

import type { Limits } from './values.js';

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
  /** What to do about it, where that is known. The message ends with it. */
  hint?: string;
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
