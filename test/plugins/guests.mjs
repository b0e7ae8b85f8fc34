// SPDX-License-Identifier: MIT
//
// The guests of these tests, built by plain clang, and what is done with one.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const has = (command) => spawnSync(command, ['--version']).status === 0;

/** The `skip` option of a test: false where guests can be built. */
export const noClang = !(has('clang') && has('wasm-ld')) && 'apt-get install clang lld';

/**
 * Builds a guest, unless that has been done.
 *
 * @param {string} source a file, from the root of the repository
 * @returns {string} the path of the module
 */
export function guestOf(source) {
  const src = join(root, 'src');
  const files = [join(root, source), ...readdirSync(src).filter((file) => file.endsWith('.c')).map((file) => join(src, file))];
  const headers = readdirSync(join(src, 'include', 'porthole')).map((file) => join(src, 'include', 'porthole', file));
  const hash = createHash('sha256');
  for (const file of [...files, ...headers]) hash.update(readFileSync(file));
  const folder = join(root, 'build', 'guests');
  const path = join(folder, `${hash.digest('hex').slice(0, 16)}.wasm`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const made = `${path}.${process.pid}`;
  execFileSync('clang', [
    ...['--target=wasm32', '-std=c11', '-ffreestanding', '-nostdlib', '-O2', '-mbulk-memory', '-Wall', '-Wextra', '-Werror'],
    `-I${join(src, 'include')}`,
    ...files,
    ...['-Wl,--no-entry', '-o', made],
  ]);
  renameSync(made, path); // several tests may build it at once
  return path;
}

/** A guest of test/plugins/guests/raw.c, and its calls with strings for pointers. */
export class Raw {
  /** @param {any} guest @param {number} text @param {number} body */
  constructor(guest, text, body) {
    this.guest = guest;
    this.text = text;
    this.body = body;
  }

  /** @param {any} host of createHost @param {object} [options] of run */
  static async start(host, options) {
    const guest = await host.run(guestOf('test/plugins/guests/raw.c'), options);
    return new Raw(guest, await guest.call('text'), await guest.call('body'));
  }

  /** Writes what a function is to read. @returns {number} its length */
  put(text) {
    this.guest.write(this.text, Buffer.from(text, 'latin1'));
    return text.length;
  }

  /** @returns {Promise<number>} a handle or an error */
  open(host, port, flags = 0, timeout = 20_000) {
    return this.guest.call('host_open', this.text, this.put(host), port, flags, timeout);
  }

  startTls(handle, name, flags = 1, timeout = 20_000) {
    return this.guest.call('host_start_tls', handle, this.text, this.put(name), flags, timeout);
  }

  sendHead(handle, head, timeout = 20_000) {
    return this.guest.call('host_send_head', handle, this.text, this.put(head), timeout);
  }

  send(handle, data, timeout = 20_000) {
    return this.guest.call('host_send', handle, this.text, this.put(data), timeout);
  }

  recv(handle, capacity = 1000, timeout = 20_000) {
    return this.guest.call('host_recv', handle, this.body, capacity, timeout);
  }

  /** What was received, or written into the body otherwise. */
  bytes(length) {
    return this.guest.read(this.body, length).latin1Slice();
  }

  /** Receives until there is no more. @returns {Promise<string>} @throws {Error} with the code of a failure */
  async all(handle) {
    let text = '';
    for (;;) {
      const count = await this.recv(handle, 65536);
      if (count < 0) throw Object.assign(new Error(`recv: ${count}: ${await this.words(handle)}`), { result: count, text });
      if (count === 0) return text;
      text += this.bytes(count);
    }
  }

  async wait(pairs, timeout = 20_000) {
    const list = Buffer.alloc(8 * pairs.length);
    pairs.forEach(([handle, interest], index) => {
      list.writeInt32LE(handle, 8 * index);
      list.writeInt32LE(interest, 8 * index + 4);
    });
    this.guest.write(this.text, list);
    const count = await this.guest.call('host_wait', this.text, pairs.length, timeout);
    const after = this.guest.read(this.text, list.length);
    return { count, ready: pairs.map((_, index) => after.readInt32LE(8 * index + 4)) };
  }

  closeHandle(handle) {
    return this.guest.call('host_close', handle);
  }

  async info(handle, what, capacity = 200) {
    return this.guest.read(this.body, await this.guest.call('host_info', handle, what, this.body, capacity)).toString();
  }

  words(handle) {
    return this.info(handle, 0);
  }

  /** Connects by the core. */
  async connect(host, port, tls = false) {
    const result = await this.guest.call('connect', this.put(host), port, tls ? 1 : 0);
    if (result < 0) throw Object.assign(new Error(this.guest.read(this.body, await this.guest.call('words')).toString()), { result });
  }

  /** Asks by the core. @returns {Promise<number>} bytes of the body */
  get(url, { size = 0, times = 1 } = {}) {
    return this.guest.call('get', this.put(url), size, times);
  }
}
