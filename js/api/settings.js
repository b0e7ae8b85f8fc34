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
const CLASS_MEMBERS = ['debuglevel', 'auto_open', 'default_port', 'response_class'];

/** Options that are kept as they were given, and what checks each when it is assigned. */
const CHECKED = {
  __proto__: null,
  deadline: (value) => checkSeconds('deadline', value),
  source_address: checkSourceAddress,
  socket_path: checkPath,
  proxy_context: (value) => checkContext(value, 'proxy_context'),
  blocksize: (value) => checkCount('blocksize', value ?? 16384, 1),
  retry_stale: (value) => checkCount('retry_stale', Number(value ?? 0), 0),
  create_connection: (value) => checkFunction('create_connection', value),
  lookup: (value) => checkFunction('lookup', value),
  on_informational: (value) => checkFunction('on_informational', value),
};

/** What the operations of a connection are allowed. @type {(settings: Settings) => Terms} */
export let termsOf;

export class Settings {
  #terms = new Terms();
  #host;
  #port;
  #limits;
  #checked = { __proto__: null };

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
    for (const name in CHECKED) {
      const given = settings[name];
      this.#checked[name] = CHECKED[name](given);
      // What is given goes before what a subclass has of this name, such as a method create_connection().
      if (given !== undefined && given !== null && this[name] !== this.#checked[name]) this[name] = this.#checked[name];
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

  static {
    termsOf = (settings) => settings.#terms;
    for (const name in CHECKED) {
      Object.defineProperty(Settings.prototype, name, {
        configurable: true,
        enumerable: false, // a context, or what a function holds, is nothing for JSON
        get() {
          return this.#checked[name];
        },
        set(value) {
          this.#checked[name] = CHECKED[name](value);
        },
      });
    }
    for (const name of CLASS_MEMBERS) {
      Object.defineProperty(Settings.prototype, name, {
        configurable: true,
        enumerable: false,
        get() {
          return this.constructor[name];
        },
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
