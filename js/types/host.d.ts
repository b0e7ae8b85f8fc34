// SPDX-License-Identifier: MIT
//
// porthole/host: who may be reached, and guests that are held to it.

import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { SSLContext, TrustedLocations } from './https.js';
import type { BytesLike } from './values.js';

/**
 * `[scheme://]host[:port]`: a name, `*.example.com` (what is below it), `*` (any public host), an address or a block
 * (`10.1.0.0/16`, `[fd00::/8]`); the port `*` for any. Without a scheme it holds for http and https, without a port for 80 of
 * http and 443 of https.
 */
export type Rule = string;

/** What one guest may use. None of it is infinite, unless `Infinity` is given. */
export interface GuestLimits {
  /** Connections at a time. @default 16 */
  connections?: number | undefined;
  /** Connections in all. @default 1000 */
  total_connections?: number | undefined;
  /** Names that are looked up. @default 1000 */
  lookups?: number | undefined;
  /** Bytes that are received. @default 1073741824 */
  bytes_in?: number | undefined;
  /** Bytes that are sent. @default 1073741824 */
  bytes_out?: number | undefined;
  /** Seconds of all connections together. @default 3600 */
  time?: number | undefined;
  /** The longest time that one operation may wait. @default 60 */
  timeout?: number | undefined;
}

/** What a guest writes as `{{NAME}}` in the value of a header, and never has. */
export interface Secret {
  /** What is sent. */
  value: string;
  /** Whom it may be sent to: rules that begin with `https://`. */
  hosts: Rule[];
}

/** A decision. */
export interface AuditLine {
  /** ISO 8601 */
  time: string;
  /** The number of the guest, from 1, in the order in which they were run. */
  guest: number;
  /** `lookup` only of names that were allowed and not found: any other look-up leads to `open`. */
  event: 'open' | 'lookup' | 'tls' | 'head' | 'quota';
  host: string | null;
  port: number | null;
  address: string | null;
  allowed: boolean;
  /** The rule that allowed or denied it, or the one that is missing. */
  rule: string | null;
  reason: string;
  /** For how many refusals this one stands, where more of a kind came than are told one by one. */
  repeated?: number;
}

/** What the rules say of a URL. */
export interface Verdict {
  allowed: boolean;
  reason: string;
  /** The rule that allowed or denied it; the one that is missing; null where none would help. */
  rule: string | null;
  /** What would be connected to. */
  address: string | null;
}

export interface HostOptions {
  /** Whom guests may reach. @default [] */
  allow?: Rule[] | undefined;
  /** Whom not, whatever `allow` says. @default [] */
  deny?: Rule[] | undefined;
  limits?: GuestLimits | undefined;
  secrets?: Record<string, Secret> | undefined;
  /** How TLS is spoken: a context, options of `create_default_context`, or options of `tls.connect`. */
  tls?: SSLContext | TrustedLocations | ConnectionOptions | undefined;
  /** How names are looked up, as in `net.connect`. */
  lookup?: LookupFunction | undefined;
  /** A proxy for all connections: a URL, or what `proxy_from_environment` gives. */
  proxy?:
    | string
    | URL
    | { scheme: 'http' | 'https'; host: string; port: number; headers?: Record<string, string> }
    | null
    | undefined;
  /** Told of each decision: a function, or a stream that gets a line of JSON. */
  audit?: ((line: AuditLine) => void) | NodeJS.WritableStream | undefined;
  /** Bytes of the ring for each direction of a connection. @default 1048576 */
  ring?: number | undefined;
}

export interface RunOptions {
  /** Further modules that the guest may import of. @default [] */
  imports?: 'wasi_snapshot_preview1'[] | undefined;
  /** Bytes of memory that it may have. Needs the bytes of the guest, or its path: a compiled module has no limit but its own. @default 268435456 */
  memory?: number | undefined;
  /** Seconds that one call may take; `Infinity` for no limit. @default 60 */
  time?: number | undefined;
  /** Told of traps and refusals, a line each. */
  log?: ((line: string) => void) | undefined;
}

/** A guest in a thread of its own. */
export interface Guest extends AsyncDisposable {
  /**
   * Calls a function that the guest exports. Calls go one after the other. A guest that traps, or whose time is up, is over:
   * this call and all later ones reject. One with other arguments than the function takes rejects with a TypeError, and the guest
   * goes on; an i64 is a bigint.
   */
  call<Result = number>(name: string, ...numbers: Array<number | bigint>): Promise<Result>;
  /** Copies bytes out of the guest's memory, between calls. */
  read(pointer: number, length: number): Buffer;
  /** Writes into the guest's memory, between calls; a string as UTF-8. */
  write(pointer: number, bytes: string | BytesLike): void;
  /** Ends the guest and its connections, whatever it is doing. */
  close(): Promise<void>;
}

/** Rules and limits, and the guests that they hold for. */
export interface Host extends AsyncDisposable {
  /**
   * What the rules say of a URL, without connecting. A verdict where it is known at once: for an address, for what no rule
   * allows, and for what is no URL of http or https. A promise of one where a rule allows a name, which has to be looked up; one
   * that is not found is not allowed. A promise has no `allowed`: `await` what is returned wherever a name can be asked for.
   */
  explain(url: string | URL): Verdict | Promise<Verdict>;
  /** Runs a guest in a thread of its own. Resolves when it is made. */
  run(wasm: string | URL | BytesLike | WebAssembly.Module, options?: RunOptions): Promise<Guest>;
  /**
   * Imports for a guest in this very thread, which blocks while the guest waits.
   *
   * @param memory the guest's, or who gives it once there is one
   */
  imports(memory: WebAssembly.Memory | (() => WebAssembly.Memory)): { porthole_host_v1: WebAssembly.ModuleImports };
  /** Ends all guests: there will be none after it. */
  close(): Promise<void>;
}

/** A host for guests that import `porthole_host_v1`. Nothing is allowed that no rule allows. */
export declare function createHost(options?: HostOptions): Host;
