// SPDX-License-Identifier: MIT
//
// The command's host (bindings/cli/cli_host.h): arguments, files and standard streams, by calls that block their thread.

import fs from 'node:fs';

const FAILED = -1;
const LATER = -2; // nothing came in time
const WRITE = 1; // how a file is opened
const SIZE_UNKNOWN = 0xffffffffffffffffn;
const SOON = 0.1; // milliseconds until the next look at a stream that doesn't wait …
const TURN = 10; // … which become twice as many each time, up to these
const TLS_SETTINGS = 4; // words: the CA's file, the certificate's and the key's, and whether nothing is verified

const decoder = new TextDecoder();
const pause = new Int32Array(new SharedArrayBuffer(4));

/** What the system calls an error, without the code and the call that Node puts around. */
const wordsOf = (error) => /^[A-Z\d_]+: (.*?)(?:, \w+(?: '.*')?)?$/s.exec(error.message)?.[1] ?? error.message;

/** Does something again for as long as a stream has nothing to say in no time. @param {number} [timeout] below zero for any */
function patiently(work, timeout = -1) {
  const begun = performance.now();
  for (let turn = SOON; ; turn = Math.min(2 * turn, TURN)) {
    try {
      return work();
    } catch (error) {
      if (error.code !== 'EAGAIN' && error.code !== 'EINTR') throw error;
      if (timeout >= 0 && performance.now() - begun >= timeout) return LATER;
      Atomics.wait(pause, 0, 0, turn);
    }
  }
}

/**
 * What is read in place of a file, so that reading doesn't wait: regular files never do.
 *
 * Pipes and terminals are opened again, as whoever shares them may want to wait. What can't be, a socket, is made one that doesn't
 * wait by Node; what can't be that either waits.
 */
function unwaiting(file) {
  if (fs.fstatSync(file).isFile()) return file;
  try {
    return fs.openSync(`/dev/fd/${file}`, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch {
    try {
      new (process.getBuiltinModule('node:net').Socket)({ fd: file, readable: false, writable: false });
    } catch {}
    return file;
  }
}

export class System {
  #arguments;
  #askTls;
  #memory;
  #unwaiting = new Map(); // by file
  #words = '';

  /**
   * @param {string[]} args without the program's name
   * @param {(settings: import('./keeper.js').TlsOptions) => { code: number, words: string }} askTls sets how TLS is spoken
   * @param {() => WebAssembly.Memory} memory the guest's
   */
  constructor(args, askTls, memory) {
    this.#arguments = Buffer.from(args.map((text) => `${text}\0`).join(''));
    this.#askTls = askTls;
    this.#memory = memory;
    this.imports = {
      arguments_size: () => this.#arguments.length,
      arguments: (buffer) => this.#bytes(buffer, this.#arguments.length).set(this.#arguments),
      open: (path, mode, size) => this.#try(() => this.#open(this.#text(path), mode, size)),
      read: (file, buffer, capacity, timeout) => this.#try(() => this.#read(file, this.#bytes(buffer, capacity), timeout)),
      write: (file, data, length) => this.#try(() => this.#write(file, this.#bytes(data, length))),
      close: (file) => this.#try(() => this.#close(file)),
      terminal: (file) => this.#try(() => this.#terminal(file)),
      tls: (settings) => this.#tls(settings),
      words: (buffer, capacity) => this.#tell(this.#bytes(buffer, capacity)),
    };
  }

  #bytes(pointer, length) {
    return new Uint8Array(this.#memory().buffer, pointer >>> 0, length >>> 0);
  }

  /** A text of the guest's, to its terminator. */
  #text(pointer) {
    const bytes = new Uint8Array(this.#memory().buffer, pointer >>> 0);
    return decoder.decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  #try(work) {
    try {
      return work();
    } catch (error) {
      this.#words = wordsOf(error);
      return FAILED;
    }
  }

  #open(path, mode, size) {
    if (mode === WRITE) return fs.openSync(path, 'w');
    const file = fs.openSync(path, 'r');
    const what = fs.fstatSync(file, { bigint: true });
    new DataView(this.#memory().buffer).setBigUint64(size >>> 0, what.isFile() ? what.size : SIZE_UNKNOWN, true);
    return file;
  }

  #read(file, bytes, timeout) {
    if (timeout >= 0 && !this.#unwaiting.has(file)) this.#unwaiting.set(file, unwaiting(file));
    const from = this.#unwaiting.get(file) ?? file;
    return patiently(() => fs.readSync(from, bytes, 0, bytes.length, null), timeout);
  }

  #close(file) {
    const other = this.#unwaiting.get(file) ?? file;
    if (other !== file) fs.closeSync(other);
    this.#unwaiting.delete(file);
    fs.closeSync(file);
    return 0;
  }

  #write(file, bytes) {
    for (let done = 0; done < bytes.length; ) done += patiently(() => fs.writeSync(file, bytes, done));
    return 0;
  }

  #terminal(file) {
    // The module takes its time to load: what is no device is no terminal.
    return fs.fstatSync(file).isCharacterDevice() && process.getBuiltinModule('node:tty').isatty(file) ? 1 : 0;
  }

  #tls(settings) {
    const [ca, certificate, key, insecure] = new Uint32Array(this.#memory().buffer, settings >>> 0, TLS_SETTINGS);
    const [cafile, certfile, keyfile] = [ca, certificate, key].map((path) => (path === 0 ? null : this.#text(path)));
    const { code, words } = this.#askTls({ cafile, certfile, keyfile, insecure: insecure !== 0 });
    this.#words = words;
    return code;
  }

  #tell(bytes) {
    const { written } = new TextEncoder().encodeInto(this.#words, bytes.subarray(0, -1));
    bytes[written] = 0;
  }
}
