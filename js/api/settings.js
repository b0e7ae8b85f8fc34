// SPDX-License-Identifier: MIT
//
// The options of a connection as its properties: what each may be is checked when it is assigned.

import { DEFAULT_LIMITS } from '../../bindings/generated/limits.js';
import { checkLimits } from '../request/limits.js';
import {
  checkCount,
  checkFunction,
  checkHost,
  checkOptions,
  checkPath,
  checkPort,
  checkSeconds,
  checkSignal,
  checkSourceAddress,
  checkTimeouts,
  hostAndPort,
  optionsOf,
  TAKES,
} from '../request/options.js';
import { Terms } from '../request/terms.js';
import { checkContext } from './context.js';

/** Members that are looked up on the class when the instance has none of its own, as Python looks attributes up. */
const CLASS_MEMBERS = {
  // A function each, as V8 keeps with it where the class has them.
  debuglevel() {
    return this.constructor.debuglevel;
  },
  auto_open() {
    return this.constructor.auto_open;
  },
  default_port() {
    return this.constructor.default_port;
  },
  response_class() {
    return this.constructor.response_class;
  },
};

/** Options that are properties of their own, and null unless they are given, but for the numbers. */
const PLAIN = ['deadline', 'source_address', 'socket_path', 'proxy_context', 'blocksize', 'retry_stale', 'create_connection', 'lookup', 'on_informational'];

/** What the operations of a connection are allowed. @type {(settings: Settings) => Terms} */
export let termsOf;

export class Settings {
  #terms = new Terms();
  #host;
  #port;
  #limits;
  #deadline = null;
  #source_address = null;
  #socket_path = null;
  #proxy_context = null;
  #blocksize = 16384;
  #retry_stale = 0;
  #create_connection = null;
  #lookup = null;
  #on_informational = null;

  /**
   * @param {string} host a name or an address; the port can follow a colon
   * @param {number | null | object} port
   * @param {object | undefined} options see the manual
   */
  constructor(host, port, options) {
    const settings = checkOptions(new.target[TAKES], optionsOf(port, options));
    const split = hostAndPort(host, settings === port ? null : port, new.target.default_port);
    this.#host = split.host;
    this.#port = split.port;
    this.timeout = settings.timeout;
    this.timeouts = settings.timeouts;
    this.signal = settings.signal;
    this.limits = settings.limits;
    if (settings.limits?.headers === undefined) this.max_response_headers = settings.max_response_headers;
    for (const name of PLAIN) {
      const given = settings[name];
      if (given === undefined || given === null) continue;
      Reflect.set(Settings.prototype, name, given, this); // checks it
      const checked = Reflect.get(Settings.prototype, name, this);
      if (this[name] !== checked) this[name] = checked; // it goes before what a subclass has of this name, such as a method
    }
    /** How many requests were sent. */
    this.request_count = 0;
  }

  /** The name or the address of the server, without a port. */
  get host() {
    return this.#host;
  }

  set host(host) {
    this.#host = checkHost(host);
  }

  /** Its port. */
  get port() {
    return this.#port;
  }

  set port(port) {
    this.#port = checkPort(port);
  }

  /** Seconds that an operation may wait with nothing moving, or null. */
  get timeout() {
    return this.#terms.timeout;
  }

  set timeout(seconds) {
    this.#terms.timeout = checkSeconds('timeout', seconds);
  }

  /** Seconds by what is waited for, over `timeout`: a frozen object. */
  get timeouts() {
    return this.#terms.timeouts;
  }

  set timeouts(timeouts) {
    this.#terms.timeouts = checkTimeouts(timeouts);
  }

  /** Ends every operation when it is aborted. */
  get signal() {
    return this.#terms.signal;
  }

  set signal(signal) {
    this.#terms.signal = checkSignal(signal);
  }

  /** What a peer may make us keep: a frozen object with all limits. Counts from the next connection on. */
  get limits() {
    return this.#limits;
  }

  set limits(limits) {
    this.#limits = checkLimits(limits);
  }

  /** How many header lines a response may have: the limit `headers`. */
  get max_response_headers() {
    return this.#limits.headers;
  }

  set max_response_headers(count) {
    const headers = checkCount('max_response_headers', count ?? DEFAULT_LIMITS.headers, 0);
    this.#limits = checkLimits({ ...this.#limits, headers });
  }

  /** Seconds from the start of a request to the last byte of its response, or null. */
  get deadline() {
    return this.#deadline;
  }

  set deadline(value) {
    this.#deadline = checkSeconds('deadline', value);
  }

  /** `[host, port]` to connect from, or null. */
  get source_address() {
    return this.#source_address;
  }

  set source_address(value) {
    this.#source_address = checkSourceAddress(value);
  }

  /** The path of a Unix socket to connect to, or null. */
  get socket_path() {
    return this.#socket_path;
  }

  set socket_path(value) {
    this.#socket_path = checkPath(value);
  }

  /** How TLS is spoken with the proxy, or null. */
  get proxy_context() {
    return this.#proxy_context;
  }

  set proxy_context(value) {
    this.#proxy_context = checkContext(value, 'proxy_context');
  }

  /** Bytes of a read of a file that is sent. */
  get blocksize() {
    return this.#blocksize;
  }

  set blocksize(value) {
    this.#blocksize = checkCount('blocksize', value ?? 16384, 1);
  }

  /** At 1 a request that met a stale connection goes out once more. */
  get retry_stale() {
    return this.#retry_stale;
  }

  set retry_stale(value) {
    this.#retry_stale = checkCount('retry_stale', Number(value ?? 0), 0);
  }

  /** Makes the socket, or null. */
  get create_connection() {
    return this.#create_connection;
  }

  set create_connection(value) {
    this.#create_connection = checkFunction('create_connection', value);
  }

  /** Resolves names, or null. */
  get lookup() {
    return this.#lookup;
  }

  set lookup(value) {
    this.#lookup = checkFunction('lookup', value);
  }

  /** Is told of every 1xx, or null. */
  get on_informational() {
    return this.#on_informational;
  }

  set on_informational(value) {
    this.#on_informational = checkFunction('on_informational', value);
  }

  static {
    termsOf = (settings) => settings.#terms;
    for (const [name, get] of Object.entries(CLASS_MEMBERS)) {
      Object.defineProperty(Settings.prototype, name, {
        configurable: true,
        enumerable: false,
        get,
        set(value) {
          if (!(#terms in this)) this.constructor[name] = value; // the prototype of a class: as if it were set on the class
          else if (value !== undefined && value !== null) {
            // A property of the instance's own, which can be deleted, so that the class counts again.
            Object.defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true });
          }
        },
      });
    }
  }
}
