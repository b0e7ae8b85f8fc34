// SPDX-License-Identifier: MIT
//
// HTTPSConnection, how TLS is spoken, and the proxy of the environment.

import type { ConnectionOptions } from 'node:tls';
import { HTTPConnection, type HTTPConnectionOptions } from './connection.js';
import type { BytesLike } from './values.js';

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
export declare function create_default_context(
  options?: TrustedLocations & { crlfile?: string | URL | null | undefined; system?: boolean | undefined },
): SSLContext;

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
