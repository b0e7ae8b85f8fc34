// SPDX-License-Identifier: MIT
//
// A guest in a thread of its own, as its host's user has it.

import { MessageChannel, Worker } from 'node:worker_threads';
import { Desk } from '../../bindings/blocking/desk.js';
import { makeBell } from '../../bindings/blocking/line.js';
import { copyBytes } from '../../bindings/node/copy.js';
import { after, cancel, now } from '../../bindings/node/timers.js';
import { argumentError, kindOf } from '../errors.js';
import { asBuffer, isBytes } from '../request/bytes.js';
import { Output } from './output.js';
import { callOut } from './teller.js';

const WORKER = new URL('../../bindings/blocking/worker.js', import.meta.url);
const HEADER = 8; // bytes in front of what is read or written
const LOOK_TIME = 10_000; // milliseconds: a thread that is idle answers in a fraction of one
/** What JavaScript's own part of a guest's thread may use: the guest's memory is not in it. */
const RESOURCES = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };

/** What became of a guest. */
export class GuestError extends Error {
  static {
    Object.defineProperty(GuestError.prototype, 'name', { value: 'GuestError', writable: true, configurable: true });
  }

  /** @param {string} message @param {string} code */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

const closed = () => new GuestError('the guest is closed', 'ERR_HTTP_GUEST_CLOSED');

/**
 * What the side of the guest needs to know.
 *
 * @param {import('./settings.js').Settings} settings
 * @param {import('node:worker_threads').MessagePort} port
 * @returns {import('../../bindings/blocking/caller.js').CallerData}
 */
export function callerData(settings, port, bell) {
  const { limits, secrets, audit, ring } = settings;
  return {
    port,
    bell,
    ring,
    longest: limits.timeout * 1000,
    bytesOut: limits.bytes_out,
    secrets: secrets.map(({ name }) => name),
    vetting: true,
    telling: audit !== null,
  };
}

/** @typedef {{name: string, numbers: Array<number | bigint>, resolve: (value: any) => void, reject: (error: Error) => void}} Call */

export class Guest {
  #worker;
  #desk;
  #account;
  #log;
  #time;
  #exited;
  #error = null; // what ended it
  /** @type {Call[]} */
  #calls = []; // the first one is under way
  #timer = null;
  /** Told when the guest has ended. */
  onend = () => {};

  /**
   * @param {WebAssembly.Module} module
   * @param {import('./settings.js').Settings} settings
   * @param {import('./account.js').Account} account
   * @param {{time: number, log: (line: string) => void, wasi: boolean}} options
   */
  constructor(module, settings, account, { time, log, wasi }) {
    const { port1, port2 } = new MessageChannel();
    const bell = makeBell();
    this.#desk = new Desk(port1, bell, account);
    account.onexpired = (error) => this.#desk.end(error);
    this.#account = account;
    this.#log = log;
    this.#time = time;
    const output = wasi ? new Output() : null;
    this.#worker = new Worker(WORKER, {
      workerData: { module, caller: callerData(settings, port2, bell), output: output?.shared ?? null },
      transferList: [port2],
      env: {},
      execArgv: [],
      resourceLimits: RESOURCES,
      name: 'porthole guest',
    });
    this.#worker.on('message', (message) => {
      if (message.output === undefined) this.#answered(message);
      else output?.write(message.output, message.bytes);
    });
    this.#worker.on('error', (error) => this.#end(new GuestError(`the guest's thread failed: ${error.message}`, 'ERR_HTTP_GUEST_TRAP')));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#end(closed());
        resolve(undefined);
      });
    });
  }

  /** Resolves when the guest is made, and what it does by itself then is done. */
  started() {
    return this.#ask({ name: '', numbers: [] });
  }

  #ask(call) {
    return new Promise((resolve, reject) => {
      if (this.#error !== null) {
        reject(this.#error);
        return;
      }
      this.#calls.push({ ...call, resolve, reject });
      if (this.#calls.length === 1) this.#begin();
    });
  }

  #begin() {
    const { name, numbers } = this.#calls[0];
    this.#worker.ref();
    const began = now();
    if (this.#time !== Number.POSITIVE_INFINITY) {
      const expire = () => {
        const left = this.#time * 1000 - (now() - began);
        if (left > 1) this.#timer = after(left, expire);
        else this.#end(new GuestError(`the guest has run for ${this.#time} seconds, which is all that a call may take`, 'ERR_HTTP_GUEST_TIME'));
      };
      this.#timer = after(this.#time * 1000, expire);
    }
    if (name !== '') this.#worker.postMessage({ name, numbers }); // the first answer comes unasked
  }

  #answered({ trap, missing, misfit, value }) {
    if (this.#error === null) this.#desk.collect(); // what is told of a call is told before it is over
    if (this.#error !== null) return;
    if (trap !== undefined) {
      this.#end(new GuestError(`the guest has trapped: ${trap.name}: ${trap.message}`, 'ERR_HTTP_GUEST_TRAP'));
      return;
    }
    cancel(this.#timer);
    this.#timer = null;
    const call = this.#calls.shift();
    this.#account.settle();
    if (this.#calls.length > 0) this.#begin();
    else this.#worker.unref();
    if (missing) call.reject(argumentError(`the guest exports no function ${JSON.stringify(call.name)}: is it marked as an export, in C by export_name?`));
    else if (misfit !== undefined) call.reject(argumentError(`${call.name} takes other arguments, an i64 as a bigint: ${misfit}`, 'ERR_INVALID_ARG_TYPE'));
    else call.resolve(value);
  }

  /** Ends the guest: what is under way, and all calls to come, are rejected with the error. */
  #end(error) {
    if (this.#error !== null) return;
    this.#error = error;
    if (error.code !== 'ERR_HTTP_GUEST_CLOSED') callOut(this.#log, error.message);
    cancel(this.#timer);
    this.#timer = null;
    this.#worker.terminate();
    this.#desk.close();
    this.#account.settle();
    for (const { reject } of this.#calls.splice(0)) reject(error);
    this.onend();
  }

  /**
   * Calls a function that the guest exports. Calls go one after the other.
   *
   * @param {string} name
   * @param {...(number | bigint)} numbers
   * @returns {Promise<any>} what it returns
   */
  call(name, ...numbers) {
    if (typeof name !== 'string' || name === '') return Promise.reject(argumentError('a call needs the name of a function', 'ERR_INVALID_ARG_TYPE'));
    const other = numbers.find((number) => typeof number !== 'number' && typeof number !== 'bigint');
    if (other !== undefined) return Promise.reject(argumentError(`a guest takes numbers, not ${kindOf(other)}: bytes and text go by write() and a pointer`, 'ERR_INVALID_ARG_TYPE'));
    return this.#ask({ name, numbers });
  }

  #look(pointer, length, bytes) {
    if (this.#error !== null) throw this.#error;
    if (!Number.isSafeInteger(pointer) || !Number.isSafeInteger(length) || pointer < 0 || length < 0) {
      throw argumentError('a pointer and a length are whole numbers from 0');
    }
    if (length > 0x7fffffff) throw argumentError('so many bytes are not in the memory of the guest');
    if (this.#calls.length > 0) {
      throw new GuestError('a call is under way: the memory is looked at before and after it', 'ERR_HTTP_GUEST_BUSY');
    }
    const shared = new SharedArrayBuffer(HEADER + length);
    const words = new Int32Array(shared, 0, 2);
    const theirs = Buffer.from(shared, HEADER);
    if (bytes !== null) copyBytes(bytes, theirs, 0);
    this.#worker.postMessage({ look: shared, pointer, length, write: bytes !== null });
    if (Atomics.wait(words, 0, 0, LOOK_TIME) === 'timed-out') throw closed();
    if (words[1] < 0) throw argumentError(`${length} bytes at ${pointer} are not in the memory of the guest`);
    return theirs;
  }

  /**
   * Bytes of the guest's memory, between calls.
   *
   * @param {number} pointer
   * @param {number} length
   * @returns {Buffer} a copy
   */
  read(pointer, length) {
    const found = this.#look(pointer, length, null);
    const copy = Buffer.allocUnsafeSlow(length);
    copyBytes(found, copy, 0);
    return copy;
  }

  /**
   * Writes into the guest's memory, between calls.
   *
   * @param {number} pointer
   * @param {string | Uint8Array} bytes a string as UTF-8
   */
  write(pointer, bytes) {
    if (typeof bytes !== 'string' && !isBytes(bytes)) throw argumentError(`write takes bytes or a string, not ${kindOf(bytes)}`, 'ERR_INVALID_ARG_TYPE');
    const own = typeof bytes === 'string' ? Buffer.from(bytes) : asBuffer(bytes);
    this.#look(pointer, own.length, own);
  }

  /** Ends the guest, whatever it is doing, and its connections. Idempotent. @returns {Promise<void>} when its thread is gone */
  async close() {
    this.#end(closed());
    await this.#exited;
  }

  /** @returns {Promise<void>} */
  [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    return this.close();
  }
}
