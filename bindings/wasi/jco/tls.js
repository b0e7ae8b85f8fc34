// SPDX-License-Identifier: MIT
//
// `porthole/wasi-tls`: wasi:tls 0.2.0-draft for components that jco has transpiled, over node:tls. The sockets of
// preview2-shim live in a worker of its, and so does TLS: tls-worker.js is what is done there.

import {
  callExtension,
  createIoError,
  futureDispose,
  futureSubscribe,
  futureTakeValue,
  inputStreamCreate,
  inputStreamId,
  outputStreamCreate,
} from '@bytecodealliance/preview2-shim/io-worker';

const worker = new URL('./tls-worker.js', import.meta.url);
const dispose = Symbol.dispose ?? Symbol.for('dispose');

/** @type {(serverName: string) => object} */
let optionsFor = () => ({});

/**
 * Says whom to trust, and as whom: for all handshakes that begin from now on, in this realm.
 *
 * @param {object | ((serverName: string) => object)} options those of `tls.connect` that can be cloned: `ca`, `cert`, `key`,
 *   `passphrase`, `pfx`, `ALPNProtocols` (else `http/1.1`), `minVersion`, … A function is asked at each handshake; what it throws
 *   is why that fails
 */
export function configure(options) {
  optionsFor = typeof options === 'function' ? options : () => options;
  if (typeof options !== 'function') structuredClone(options); // throws here, and not at the first handshake
}

/** The streams in clear that a handshake was given: they are kept, as the socket ends with the last of them. */
class Below {
  #streams;

  constructor(...streams) {
    this.#streams = streams;
  }

  drop() {
    for (const stream of this.#streams.splice(0)) stream[dispose]();
  }
}

/** Makes an object of a class whose constructor is not for guests. @type {Record<string, any>} */
const make = {};

export class ClientHandshake {
  #serverName;
  #input;
  /** @type {Below | null} */
  #below;

  constructor(serverName, input, output) {
    this.#serverName = serverName;
    this.#input = input;
    this.#below = new Below(input, output);
  }

  static finish(handshake) {
    const below = handshake.#below;
    handshake.#below = null;
    let begun;
    try {
      const options = optionsFor(handshake.#serverName);
      begun = callExtension(worker, 'begin', [handshake.#serverName, inputStreamId(handshake.#input), options]);
    } catch (error) {
      begun = callExtension(worker, 'refuse', [error.message]);
    }
    return make.future(begun, below);
  }

  [dispose]() {
    this.#below?.drop();
  }
}

export class FutureClientStreams {
  #session;
  #future;
  /** @type {Below | null} null when it has become the connection's */
  #below;

  subscribe() {
    return futureSubscribe(this.#future, this);
  }

  get() {
    const taken = futureTakeValue(this.#future);
    if (taken === undefined || taken.tag === 'err') return taken;
    const { tag, val } = taken.val;
    if (tag === 'err') return { tag: 'ok', val: { tag, val: createIoError(val.message) } };
    const connection = make.connection(this.#session, this.#below);
    this.#below = null;
    const output = outputStreamCreate(val.output);
    // The shim's waits until the peer has taken what was written, and Node holds nothing back.
    Object.defineProperty(output, 'flush', { value: () => {} });
    return { tag: 'ok', val: { tag, val: [connection, inputStreamCreate(val.input), output] } };
  }

  [dispose]() {
    if (this.#below !== null) {
      callExtension(worker, 'close', [this.#session]);
      const taken = this.get(); // the handshake can be done, with streams that nobody has asked for
      if (taken?.val?.tag === 'ok') for (const part of taken.val.val.reverse()) part[dispose]();
    }
    this.#below?.drop();
    futureDispose(this.#future);
  }

  static {
    make.future = ({ session, future }, below) => {
      const made = new FutureClientStreams();
      made.#session = session;
      made.#future = future;
      made.#below = below;
      return made;
    };
  }
}

export class ClientConnection {
  #session;
  #below;

  closeOutput() {
    callExtension(worker, 'end', [this.#session]);
  }

  [dispose]() {
    callExtension(worker, 'close', [this.#session]);
    this.#below.drop();
  }

  static {
    make.connection = (session, below) => {
      const made = new ClientConnection();
      made.#session = session;
      made.#below = below;
      return made;
    };
  }
}

/** Is asked for by the WIT that comes with jco. */
export function isAvailable() {
  return true;
}
