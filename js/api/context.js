// SPDX-License-Identifier: MIT
//
// SSLContext: what TLS is spoken with, as Python's ssl has it and node:tls does it; and what to do when it fails.

import fs from 'node:fs';
import { delimiter, join } from 'node:path';
import { crypto, tls } from '../../bindings/node/builtins.js';
import { argumentError, InvalidURL, kindOf, quoted } from '../errors.js';
import { asBuffer, isBytes } from '../request/bytes.js';
import { checkOptions } from '../request/options.js';
import { SHOWN, shown } from '../watch/shown.js';

/** The peer's certificate is not verified. */
export const CERT_NONE = 0;
/** As CERT_REQUIRED: a client's peer always has a certificate. */
export const CERT_OPTIONAL = 1;
/** The peer's certificate is verified. */
export const CERT_REQUIRED = 2;

const MODES = ['CERT_NONE', 'CERT_OPTIONAL', 'CERT_REQUIRED'];
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
    ciphers = `@SECLEVEL=2:${tls().DEFAULT_CIPHERS}`;
    try {
      tls().createSecureContext({ ciphers });
    } catch {
      ciphers = tls().DEFAULT_CIPHERS; // a runtime whose TLS isn't OpenSSL
    }
  }
  return ciphers;
}

/**
 * A path that was given, or a URL of a file. What is in the file, given in place of it, may be a key: no error shows that.
 *
 * @throws {TypeError}
 */
function checkFile(path, what) {
  const isUrl = path instanceof URL;
  if (typeof path !== 'string' && !isUrl) {
    const hint = isBytes(path) ? ': what is in memory is given as { context: { cert, key, ca } }, or as cadata' : '';
    throw argumentError(`${what} must be a path or a URL of a file, not ${kindOf(path)}${hint}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (!isUrl && (path.includes('-----BEGIN') || path.includes('\n'))) {
    throw argumentError(`${what} must be the path of a file, and this is what is in one: give { context: { cert, key, ca } }, or cadata`);
  }
  return path;
}

function readPem(path, what, pattern) {
  const text = fs.readFileSync(checkFile(path, what), 'latin1');
  if (pattern.test(text)) return text;
  throw argumentError(`${what} ${JSON.stringify(String(path))} holds no ${what === 'crlfile' ? 'CRL' : 'certificate'} in PEM form`);
}

/** The certificates of a folder: those under hashed names (openssl rehash), else all. */
function readFolder(path) {
  checkFile(path, 'capath');
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
    const certificate = new (crypto().X509Certificate)(rest);
    found.push(certificate.toString());
    rest = rest.subarray(certificate.raw.length);
  }
  return found;
}

/** What NODE_EXTRA_CA_CERTS adds to every store of Node. */
function extraCertificates() {
  if (tls().getCACertificates !== undefined) return tls().getCACertificates('extra');
  const file = process.env.NODE_EXTRA_CA_CERTS;
  return file && fs.existsSync(file) ? [fs.readFileSync(file, 'latin1')] : [];
}

/** What Node trusts when it isn't told. */
function defaultCertificates() {
  return tls().getCACertificates?.('default') ?? [...tls().rootCertificates, ...extraCertificates()];
}

/** What the system trusts: the files of SSL_CERT_FILE and SSL_CERT_DIR, else what Node says, else the usual file. */
function systemCertificates() {
  const { SSL_CERT_FILE, SSL_CERT_DIR } = process.env;
  const found = [];
  if (SSL_CERT_FILE) found.push(readPem(SSL_CERT_FILE, 'SSL_CERT_FILE', certificates));
  if (SSL_CERT_DIR) found.push(...SSL_CERT_DIR.split(delimiter).flatMap((folder) => readFolder(folder)));
  if (found.length === 0 && tls().getCACertificates !== undefined) found.push(...tls().getCACertificates('system'));
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

/** Marks a context, so that those of other copies of the package are known. */
const brand = Symbol.for('porthole.SSLContext');

/** Is it a context of this copy? @type {(value: object) => value is SSLContext} */
let isOwn;

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
    Object.defineProperty(SSLContext.prototype, brand, { value: true });
    isOwn = (value) => #settings in value;
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
    checkFile(certfile, 'certfile');
    if (keyfile !== null && keyfile !== undefined) checkFile(keyfile, 'keyfile');
    const chain = { cert: fs.readFileSync(certfile), key: fs.readFileSync(keyfile ?? certfile) };
    const secret = typeof password === 'function' ? password() : password;
    if (secret !== null && secret !== undefined) {
      chain.passphrase = typeof secret === 'string' ? secret : asBuffer(secret).latin1Slice();
    }
    tls().createSecureContext(chain);
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
    const { cafile = null, capath = null, cadata = null, crlfile = null } = checkOptions('load_verify_locations', checkLocations(locations));
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
    tls().createSecureContext({ ciphers: list });
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

  /** What console.log shows. */
  [SHOWN](depth, options, inspect) {
    const state = () => ({
      verify_mode: MODES[this.#verifyMode],
      check_hostname: this.#checkHostname,
      minimum_version: this.#minimumVersion,
      maximum_version: this.#maximumVersion,
      own_certificates: this.#chains.length,
    });
    return shown(this, state, depth, options, inspect);
  }

  #resolve() {
    if (this.#settings === null) {
      const { ca, crl, cert, key, ciphers, minVersion, maxVersion, ...options } = this.options();
      options.secureContext = tls().createSecureContext({ ca, crl, cert, key, ciphers, minVersion, maxVersion });
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
  const { system = false, ...locations } = checkOptions('create_default_context', options);
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

/** Names that SSLContext, Python or this module have, and tls.connect doesn't: it would pass over them. */
const notOfNode = [
  'cafile',
  'capath',
  'cadata',
  'crlfile',
  'certfile',
  'keyfile',
  'cert_file',
  'key_file',
  'password',
  'system',
  'check_hostname',
  'verify_mode',
  'minimum_version',
  'maximum_version',
];

/** Is it a context of any copy of this module, by its brand or, of a copy without one, by its members? */
const isContext = (value) => Boolean(value[brand]) || 'verify_mode' in value || typeof value.load_verify_locations === 'function';

/** The options of a context that another copy of this module made. @throws {TypeError} when they can't be had */
function foreignOptions(context, name) {
  const options = typeof context.options === 'function' ? context.options() : null;
  const whole =
    options !== null &&
    typeof options === 'object' &&
    typeof options.rejectUnauthorized === 'boolean' &&
    VERSIONS.includes(options.minVersion) &&
    VERSIONS.includes(options.maxVersion);
  if (whole) return options;
  throw argumentError(
    `${name} is an SSLContext of another copy of porthole that does not tell its options: make it with the copy that makes ` +
      'the connection',
  );
}

/** Options of tls.connect that it would pass over, or take for something else. @throws {TypeError} */
function checkNodeOptions(options, name) {
  const other = notOfNode.find((member) => options[member] !== undefined);
  if (other !== undefined) {
    throw argumentError(`${name} has "${other}", which tls.connect does not know: give create_default_context(…), or an SSLContext`);
  }
  // What tls.createSecureContext gives.
  if (typeof options.context === 'object' && typeof options.context?.setCert === 'function') {
    throw argumentError(`${name} is a secure context of node:tls: give { secureContext } with it`);
  }
  for (const hook of ['checkServerIdentity', 'pskCallback']) checkHook(options[hook], `${hook} of ${name}`);
}

function checkHook(hook, name) {
  if (hook === undefined || hook === null || typeof hook === 'function') return;
  throw argumentError(`${name} must be a function, not ${kindOf(hook)}`, 'ERR_INVALID_ARG_TYPE');
}

/**
 * @param {unknown} value an SSLContext of any copy of this module, or options of tls.connect
 * @param {string} name for messages
 * @returns {SSLContext | object | null}
 * @throws {TypeError} for what would be passed over: what it asks for may be what makes the connection safe
 */
export function checkContext(value, name) {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'object' || Array.isArray(value) || isBytes(value) || value instanceof Map) {
    throw argumentError(`${name} must be an SSLContext or options of tls.connect, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (isOwn(value)) return value;
  if (isContext(value)) foreignOptions(value, name);
  else checkNodeOptions(value, name);
  return value;
}

/**
 * @param {SSLContext | object} context
 * @returns {Settings} whether certificates are verified is always among them, or the environment would say
 */
export function settingsOf(context) {
  if (isOwn(context)) return settingsOfContext(context);
  const options = isContext(context) ? foreignOptions(context, 'context') : context;
  // Without a prototype: what somebody gave all objects says nothing of how TLS is spoken.
  const settings = { __proto__: null, ...options };
  settings.rejectUnauthorized = settings.rejectUnauthorized !== false;
  return settings;
}

/** @param {SSLContext | object} context @returns {boolean} does it verify certificates? */
export function verifies(context) {
  if (isOwn(context)) return context.verify_mode !== CERT_NONE;
  return settingsOf(context).rejectUnauthorized;
}

/** @param {SSLContext | object} context @returns {boolean} does it compare names, as far as it is a context that can say so? */
export function comparesNames(context) {
  return isContext(context) && context.check_hostname === true;
}

/** Labels with nothing in them. */
const emptyLabel = /^\.|\.\./;

/**
 * The name by which a server is told whom it is asked for, and by which its certificate is looked at: that of the host, less
 * the dot at the end and the zone of an address, which no certificate has.
 *
 * @param {string} host ASCII
 * @returns {string}
 * @throws {InvalidURL} for a name with an empty label
 */
export function peerName(host) {
  if (emptyLabel.test(host)) throw new InvalidURL(`the host has an empty label: ${quoted(host)}`);
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return name.includes(':') ? name.replace(/%.*$/s, '') : name;
}
