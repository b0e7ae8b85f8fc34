// SPDX-License-Identifier: MIT
//
// A host: rules and limits, and the guests that they hold for.

import { MessageChannel, Worker } from 'node:worker_threads';
import { Caller } from '../../bindings/blocking/caller.js';
import { makeBell } from '../../bindings/blocking/line.js';
import { HeadChecker } from '../../bindings/wasm/heads.js';
import { argumentError, kindOf } from '../errors.js';
import { lookUp } from '../engine/dial.js';
import { checkFunction, checkOptions } from '../request/options.js';
import { Account } from './account.js';
import { callerData, Guest, GuestError } from './guest.js';
import { checkImports, moduleOf } from './module.js';
import { destinationOf } from './policy.js';
import { checkSettings } from './settings.js';
import { portable } from './portable.js';

const THREAD = new URL('./thread.js', import.meta.url);
const RUN = Object.freeze({ __proto__: null, imports: true, memory: true, time: true, log: true });
const MEMORY = 256 * 1024 * 1024;
const TIME = 60;

function checkAmount(name, value, usual) {
  if (value === undefined || value === null) return usual;
  if (typeof value === 'number' && value > 0) return value;
  throw argumentError(`${name} must be a number above 0, or Infinity, not ${kindOf(value)}`);
}

class Host {
  #options;
  #settings;
  #guests = new Set(); // what can be closed
  #count = 0;
  #closed = false;

  constructor(options) {
    this.#options = options;
    this.#settings = checkSettings(options);
  }

  /**
   * What the rules say of a URL, without connecting. What needs no look-up is said at once; where a rule allows a name it is a
   * promise, which has no `allowed` of its own: `await` what is returned wherever a name can be asked for.
   *
   * @param {string | URL} url
   * @returns {import('./policy.js').Verdict | Promise<import('./policy.js').Verdict>} a promise where a name is looked up
   */
  explain(url) {
    const destination = destinationOf(url);
    if ('allowed' in destination) return destination;
    const { scheme, host, port } = destination;
    const verdict = this.#settings.policy.judge(scheme, host, port);
    if (!verdict.allowed || verdict.address !== null) return verdict;
    return this.#explainName(scheme, verdict, host, port);
  }

  async #explainName(scheme, verdict, host, port) {
    const { policy, lookup } = this.#settings;
    let found;
    try {
      found = await lookUp(host, lookup);
    } catch (error) {
      return { allowed: false, reason: `${host} was not found: ${error?.message ?? error}`, rule: verdict.rule, address: null };
    }
    return policy.judgeAddresses(scheme, verdict, host, port, found.map(({ address }) => address));
  }

  /** Nobody ends what would be begun after `close`. */
  #checkOpen() {
    if (this.#closed) throw new GuestError('the host is closed', 'ERR_HTTP_GUEST_CLOSED');
  }

  /**
   * Runs a guest in a thread of its own.
   *
   * @param {string | URL | Uint8Array | ArrayBuffer | WebAssembly.Module} wasm
   * @param {{imports?: string[], memory?: number, time?: number, log?: (line: string) => void}} [options]
   * @returns {Promise<Guest>} once it is made
   */
  async run(wasm, options = undefined) {
    const given = checkOptions('run', options, RUN);
    const imports = checkImports(given.imports);
    const memory = given.memory === undefined || given.memory === null ? undefined : checkAmount('memory', given.memory, MEMORY);
    const time = checkAmount('time', given.time, TIME);
    const log = checkFunction('log', given.log) ?? (() => {});
    const module = await moduleOf(wasm, memory, MEMORY, imports);
    this.#checkOpen();
    const account = new Account(this.#settings, ++this.#count, log);
    const guest = new Guest(module, this.#settings, account, { time, log, wasi: imports.length > 0 });
    this.#guests.add(guest);
    guest.onend = () => this.#guests.delete(guest);
    await guest.started();
    return guest;
  }

  /**
   * Imports for a guest in this very thread, which blocks while the guest waits: its connections are in another one.
   *
   * @param {WebAssembly.Memory | (() => WebAssembly.Memory)} memory the guest's, or who gives it once there is one
   * @returns {{porthole_host_v1: WebAssembly.ModuleImports}}
   */
  imports(memory) {
    const memoryOf = typeof memory === 'function' ? memory : () => memory;
    if (typeof memory !== 'function' && !(memory instanceof WebAssembly.Memory)) {
      throw argumentError(`imports needs the guest's memory, or a function that gives it, not ${kindOf(memory)}`, 'ERR_INVALID_ARG_TYPE');
    }
    this.#checkOpen();
    const { audit } = this.#settings;
    const options = portable(this.#options);
    const { port1, port2 } = new MessageChannel();
    const bell = makeBell();
    const worker = new Worker(THREAD, {
      workerData: { options, guest: ++this.#count, port: port1, bell, telling: audit !== null },
      transferList: [port1],
      execArgv: [],
      name: 'porthole host',
    });
    const told = new Promise((resolve) => {
      worker.on('message', (line) => (line === null ? resolve(undefined) : audit?.(line)));
      worker.once('exit', () => {
        this.#guests.delete(thread);
        resolve(undefined);
      });
    });
    worker.unref(); // after the listener, which would hold the process
    const thread = {
      async close() {
        worker.ref();
        port2.close();
        await told;
        await worker.terminate();
      },
    };
    this.#guests.add(thread);
    return { porthole_host_v1: new Caller(callerData(this.#settings, port2, bell), memoryOf, () => new HeadChecker()).imports };
  }

  /** Ends all guests, and the connections of those that `imports` was asked for: there will be none after it. @returns {Promise<void>} */
  async close() {
    this.#closed = true;
    await Promise.all([...this.#guests].map((guest) => guest.close()));
  }

  /** @returns {Promise<void>} */
  [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    return this.close();
  }
}

/**
 * A host for guests that import `porthole_host_v1`. Nothing is allowed that no rule allows, and nothing runs yet.
 *
 * @param {object} [options] see the manual: allow, deny, limits, secrets, tls, lookup, proxy, audit, ring
 * @returns {Host}
 */
export function createHost(options) {
  return new Host(options);
}
