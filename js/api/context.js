// SPDX-License-Identifier: MIT
//
// SSLContext: what TLS is spoken with, as Python's ssl has it and node:tls does it; and what to do when it fails.

import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import { delimiter, join } from 'node:path';
import tls from 'node:tls';
import { argumentError } from '../errors.js';
import { asBuffer, isBytes, kindOf } from '../request/headers.js';

/** The peer's certificate is not verified. */
export const CERT_NONE = 0;
/** As CERT_REQUIRED: a client's peer always has a certificate. */
export const CERT_OPTIONAL = 1;
/** The peer's certificate is verified. */
export const CERT_REQUIRED = 2;

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
const certificates = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/;
const hashedName = /^[0-9a-f]{8}\.\d+$/;
const certificateName = /\.(?:pem|crt|cer)$/i;

/** Where the systems keep what they trust, for versions of Node that can't tell (as Go's crypto/x509 looks for it). */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

let ciphers; // the default ones, once they are known

/** Node's ciphers at OpenSSL's security level 2, as CPython has it: no keys and signatures under 112 bits. */
function defaultCiphers() {
  if (ciphers === undefined) {
    ciphers = `@SECLEVEL=2:${tls.DEFAULT_CIPHERS}`;
    try {
      tls.createSecureContext({ ciphers });
    } catch {
      ciphers = tls.DEFAULT_CIPHERS; // a runtime whose TLS isn't OpenSSL
    }
  }
  return ciphers;
}

function readPem(path, what, pattern) {
  const text = fs.readFileSync(path, 'latin1');
  if (pattern.test(text)) return text;
  throw argumentError(`${what} ${JSON.stringify(String(path))} holds no ${what === 'crlfile' ? 'CRL' : 'certificate'} in PEM form`);
}

/** The certificates of a folder: those under hashed names (openssl rehash), else all. */
function readFolder(path) {
  const names = fs.readdirSync(path);
  const hashed = names.filter((name) => hashedName.test(name));
  const chosen = hashed.length > 0 ? hashed : names.filter((name) => certificateName.test(name));
  if (chosen.length === 0) throw argumentError(`capath ${JSON.stringify(String(path))} holds no certificates`);
  return [...new Set(chosen.map((name) => readPem(join(path, name), 'capath', certificates)))];
}

/** Certificates as PEM text, or as DER bytes behind each other. */
function readData(data) {
  if (typeof data === 'string' || (isBytes(data) && asBuffer(data)[0] === 0x2d)) {
    const text = typeof data === 'string' ? data : asBuffer(data).latin1Slice();
    if (certificates.test(text)) return [text];
    throw argumentError('cadata holds no certificate in PEM form');
  }
  if (!isBytes(data)) throw argumentError(`cadata must be a string or bytes, not ${kindOf(data)}`, 'ERR_INVALID_ARG_TYPE');
  const found = [];
  for (let rest = asBuffer(data); rest.length > 0; ) {
    const certificate = new X509Certificate(rest);
    found.push(certificate.toString());
    rest = rest.subarray(certificate.raw.length);
  }
  return found;
}

/** What NODE_EXTRA_CA_CERTS adds to every store of Node. */
function extraCertificates() {
  if (tls.getCACertificates !== undefined) return tls.getCACertificates('extra');
  const file = process.env.NODE_EXTRA_CA_CERTS;
  return file && fs.existsSync(file) ? [fs.readFileSync(file, 'latin1')] : [];
}

/** What Node trusts when it isn't told. */
function defaultCertificates() {
  return tls.getCACertificates?.('default') ?? [...tls.rootCertificates, ...extraCertificates()];
}

/** What the system trusts: the files of SSL_CERT_FILE and SSL_CERT_DIR, else what Node says, else the usual file. */
function systemCertificates() {
  const { SSL_CERT_FILE, SSL_CERT_DIR } = process.env;
  const found = [];
  if (SSL_CERT_FILE) found.push(readPem(SSL_CERT_FILE, 'SSL_CERT_FILE', certificates));
  if (SSL_CERT_DIR) found.push(...SSL_CERT_DIR.split(delimiter).flatMap((folder) => readFolder(folder)));
  if (found.length === 0 && tls.getCACertificates !== undefined) found.push(...tls.getCACertificates('system'));
  if (found.length === 0) {
    const file = SYSTEM_FILES.find((path) => fs.existsSync(path));
    if (file === undefined) {
      throw Object.assign(
        new Error(
          `the system's trust store was not found: Node ${process.version} can't tell where it is. Name its file in ` +
            'SSL_CERT_FILE, or give it as cafile',
        ),
        { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' },
      );
    }
    found.push(readPem(file, 'cafile', certificates));
  }
  return [...found, ...extraCertificates()];
}

/** A `checkServerIdentity` that is content with any name. */
export const anyIdentity = () => undefined;

/** @type {(context: SSLContext) => Settings} */
let settingsOfContext;

/** Makes a context trust these certificates in place of Node's. @type {(context: SSLContext, trusted: string[]) => void} */
let trustOnly;

/** How TLS is spoken. One context serves any number of connections. */
export class SSLContext {
  /** Is the name in the certificate compared with the host's? */
  #checkHostname = true;
  #verifyMode = CERT_REQUIRED;
  #minimumVersion = 'TLSv1.2';
  #maximumVersion = 'TLSv1.3';
  #ciphers = null;
  #alpn = null;
  #chains = []; // { cert, key, passphrase }
  #trusted = null; // null: what Node trusts
  #added = [];
  #crls = [];
  #settings = null; // made of all this when it is needed, anew after a change

  static {
    settingsOfContext = (context) => context.#resolve();
    trustOnly = (context, trusted) => {
      context.#trusted = trusted;
      context.#settings = null;
    };
  }

  get check_hostname() {
    return this.#checkHostname;
  }

  set check_hostname(value) {
    this.#checkHostname = Boolean(value);
    this.#settings = null;
  }

  /** CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED. */
  get verify_mode() {
    return this.#verifyMode;
  }

  set verify_mode(value) {
    if (![CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED].includes(value)) {
      throw argumentError(`verify_mode must be CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED, not ${kindOf(value)}`);
    }
    this.#verifyMode = value;
    this.#settings = null;
  }

  /** The lowest version of TLS that is spoken: `TLSv1`, `TLSv1.1`, `TLSv1.2` or `TLSv1.3`. */
  get minimum_version() {
    return this.#minimumVersion;
  }

  set minimum_version(value) {
    this.#minimumVersion = checkVersion('minimum_version', value);
    this.#settings = null;
  }

  /** … and the highest one. */
  get maximum_version() {
    return this.#maximumVersion;
  }

  set maximum_version(value) {
    this.#maximumVersion = checkVersion('maximum_version', value);
    this.#settings = null;
  }

  /**
   * Adds a certificate of our own, for servers that ask for one. The files are read at once.
   *
   * @param {string | URL} certfile the certificate and those that lead to a CA, PEM
   * @param {string | URL | null} [keyfile] its key; when there is none it is in `certfile`
   * @param {string | Uint8Array | (() => string | Uint8Array) | null} [password] of the key
   * @throws {Error} Node's own, when a file can't be read, the password is wrong or the key is another one's
   */
  load_cert_chain(certfile, keyfile = null, password = null) {
    const chain = { cert: fs.readFileSync(certfile), key: fs.readFileSync(keyfile ?? certfile) };
    const secret = typeof password === 'function' ? password() : password;
    if (secret !== null && secret !== undefined) {
      chain.passphrase = typeof secret === 'string' ? secret : asBuffer(secret).latin1Slice();
    }
    tls.createSecureContext(chain);
    this.#chains.push(chain);
    this.#settings = null;
  }

  /**
   * Adds to what is trusted. The files are read at once.
   *
   * @param {object} locations
   * @param {string | URL | null} [locations.cafile] certificates of CAs, PEM
   * @param {string | null} [locations.capath] a folder of such files
   * @param {string | Uint8Array | null} [locations.cadata] such certificates: PEM text, or DER bytes
   * @param {string | URL | null} [locations.crlfile] certificates that were revoked, PEM: then every certificate of a
   *   chain is looked for in the list of its issuer, which has to be there
   * @throws {Error} Node's own, when a file can't be read @throws {TypeError} when there is no certificate in it
   */
  load_verify_locations(locations) {
    const { cafile = null, capath = null, cadata = null, crlfile = null } = checkLocations(locations);
    if (cafile === null && capath === null && cadata === null && crlfile === null) {
      throw argumentError('load_verify_locations needs at least one of cafile, capath, cadata, crlfile');
    }
    const added = [];
    if (cafile !== null) added.push(readPem(cafile, 'cafile', certificates));
    if (capath !== null) added.push(...readFolder(capath));
    if (cadata !== null) added.push(...readData(cadata));
    if (crlfile !== null) this.#crls.push(readPem(crlfile, 'crlfile', /-----BEGIN X509 CRL-----/));
    this.#added.push(...added);
    this.#settings = null;
  }

  /**
   * The protocols that are offered by ALPN: `['http/1.1']` unless this is called. No other one is ever spoken.
   *
   * @param {string[]} protocols
   */
  set_alpn_protocols(protocols) {
    if (!Array.isArray(protocols) || !protocols.every((name) => typeof name === 'string' && name !== '')) {
      throw argumentError('ALPN protocols must be an array of strings', 'ERR_INVALID_ARG_TYPE');
    }
    this.#alpn = [...protocols];
    this.#settings = null;
  }

  /**
   * @param {string} list of ciphers, as OpenSSL writes it
   * @throws {Error} Node's own, when there is none of them
   */
  set_ciphers(list) {
    tls.createSecureContext({ ciphers: list });
    this.#ciphers = list;
    this.#settings = null;
  }

  /** @returns {import('node:tls').ConnectionOptions} what it stands for, as options of tls.connect */
  options() {
    const options = {
      rejectUnauthorized: this.#verifyMode !== CERT_NONE,
      minVersion: this.#minimumVersion,
      maxVersion: this.#maximumVersion,
      ciphers: this.#ciphers ?? defaultCiphers(),
      ALPNProtocols: this.#alpn ?? ['http/1.1'],
    };
    if (!this.#checkHostname) options.checkServerIdentity = anyIdentity;
    if (this.#trusted !== null || this.#added.length > 0) {
      options.ca = [...(this.#trusted ?? defaultCertificates()), ...this.#added];
    }
    if (this.#crls.length > 0) options.crl = [...this.#crls];
    if (this.#chains.length > 0) {
      options.cert = this.#chains.map(({ cert }) => cert);
      options.key = this.#chains.map(({ key, passphrase }) => ({ pem: key, passphrase }));
    }
    return options;
  }

  #resolve() {
    if (this.#settings === null) {
      const { ca, crl, cert, key, ciphers, minVersion, maxVersion, ...options } = this.options();
      options.secureContext = tls.createSecureContext({ ca, crl, cert, key, ciphers, minVersion, maxVersion });
      this.#settings = Object.freeze(options);
    }
    return this.#settings;
  }
}

function checkVersion(name, value) {
  if (VERSIONS.includes(value)) return value;
  throw argumentError(`${name} must be one of ${VERSIONS.join(', ')}, not ${kindOf(value)}`);
}

function checkLocations(locations) {
  if (locations !== null && typeof locations === 'object') return locations;
  throw argumentError('the locations must be an object with cafile, capath, cadata or crlfile', 'ERR_INVALID_ARG_TYPE');
}

/**
 * A context with the defaults of this module: certificates and names are verified.
 *
 * @param {object} [options]
 * @param {boolean} [options.system] trust what the system trusts, instead of what Node brings
 * @param {string | URL | null} [options.cafile] trust these, and nothing else but the system when that is asked for
 * @param {string | null} [options.capath]
 * @param {string | Uint8Array | null} [options.cadata]
 * @returns {SSLContext}
 */
export function create_default_context(options = {}) {
  const { system = false, ...locations } = checkLocations(options ?? {});
  const context = new SSLContext();
  const own = Object.values(locations).some((location) => location !== null && location !== undefined);
  if (system || own) trustOnly(context, system ? systemCertificates() : []);
  if (own) context.load_verify_locations(locations);
  return context;
}

/** A context that verifies nothing: for tests, and for servers that can't be verified. @returns {SSLContext} */
export function _create_unverified_context() {
  const context = new SSLContext();
  context.check_hostname = false;
  context.verify_mode = CERT_NONE;
  return context;
}

// ---- for connections ----

/**
 * What a connection speaks TLS with: options of tls.connect, the same object as long as nothing has changed.
 *
 * @typedef {import('node:tls').ConnectionOptions} Settings
 */

/** @param {unknown} value @param {string} name @returns {SSLContext | object | null} */
export function checkContext(value, name) {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && !Array.isArray(value)) return value;
  throw argumentError(`${name} must be an SSLContext or options of tls.connect, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}

/** @param {SSLContext | object} context @returns {Settings} */
export function settingsOf(context) {
  return context instanceof SSLContext ? settingsOfContext(context) : context;
}

/** @param {SSLContext | object} context @returns {boolean} does it verify certificates? */
export function verifies(context) {
  if (context instanceof SSLContext) return context.verify_mode !== CERT_NONE;
  return context.rejectUnauthorized !== false;
}

const chainHint =
  'the CA that signed it is not trusted here: give its certificate with context.load_verify_locations({ cafile }), or ' +
  'trust what the system trusts with create_default_context({ system: true })';
const portHint = 'the server does not speak TLS at this port: is it the port of plain HTTP?';
const versionHint =
  'client and server have no version of TLS in common: look at minimum_version and maximum_version of the context, and ' +
  'at the server';

const hints = {
  __proto__: null,
  CERT_HAS_EXPIRED: "the server's certificate, or one that signed it, is out of date: it has to be renewed there",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet: compare the clocks of both sides",
  CERT_REVOKED: 'its CA has taken the certificate back: the server needs another one',
  CRL_HAS_EXPIRED: 'the list given as crlfile is out of date: get a new one from the CA',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the server signed its certificate itself: if you know it to be right, give it with ' +
    'context.load_verify_locations({ cafile })',
  SELF_SIGNED_CERT_IN_CHAIN: chainHint,
  UNABLE_TO_GET_ISSUER_CERT: chainHint,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: chainHint,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `the server sends an incomplete chain, or ${chainHint}`,
  UNABLE_TO_GET_CRL: 'with a crlfile there has to be a list of every CA in the chain: add the missing ones',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate is for other names: connect under one of them, or have it issued for this one',
  // Node calls these UNSPECIFIED: OpenSSL's words tell them apart.
  'EE certificate key too weak': "the server's key is too weak: it needs at least 2048 bits of RSA",
  'CA certificate key too weak': "the key of the server's CA is too weak: it needs at least 2048 bits of RSA",
  'CA signature digest algorithm too weak':
    "the server's certificate is signed with a weak digest such as SHA-1: it has to be issued anew",
  ERR_SSL_WRONG_VERSION_NUMBER: portHint,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: portHint,
  ERR_SSL_DATA_LENGTH_TOO_LONG: portHint,
  ERR_SSL_UNEXPECTED_MESSAGE: 'the server does not keep to TLS: is something between that changes what it says?',
  ERR_SSL_HTTP_REQUEST: portHint,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: versionHint,
  ERR_SSL_UNSUPPORTED_PROTOCOL: versionHint,
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: versionHint,
  ERR_SSL_VERSION_TOO_LOW: versionHint,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'client and server have nothing in common: look at the ciphers and versions of both, and whether the server wants a ' +
    'client certificate (context.load_cert_chain)',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the server wants a client certificate: give one with context.load_cert_chain',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the server does not trust the client certificate',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'the server does not know the name that it was asked for (SNI)',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'the server does not speak HTTP/1.1 (ALPN)',
  ERR_HTTP_UNKNOWN_PROTOCOL: 'only http/1.1 is spoken here: have the server offer it',
  ECONNRESET: 'the server closed the connection during the handshake: is TLS spoken at this port?',
};

/**
 * Adds to an error of TLS what to do about it.
 *
 * @param {any} error its `code` stays, the message gets longer
 */
export function addHint(error) {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error) || error.hint !== undefined) return;
  // OpenSSL 3.5 writes "ssl/tls" in the names of alerts where older versions write "sslv3".
  const code = String(error.code).replace('ERR_SSL_SSL/TLS_', 'ERR_SSL_SSLV3_');
  const hint = hints[code] ?? hints[error.message];
  if (hint === undefined) return;
  error.hint = hint;
  error.message = `${error.message.trimEnd()} (${hint})`; // OpenSSL ends its words with a line end
}
