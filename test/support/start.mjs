// SPDX-License-Identifier: MIT
//
// How real servers are started: each on a free port, with a configuration and a folder of its own, both temporary.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chownToServer, findProgram, freePort, startProgram, stopProgram, waitUntilAccepting } from './process.mjs';

const PROGRAMS = {
  nginx: { program: 'nginx', packages: 'nginx-light' },
  Apache: { program: 'apache2', packages: 'apache2-bin' },
  Squid: { program: 'squid', packages: 'squid-openssl' },
  tinyproxy: { program: 'tinyproxy', packages: 'tinyproxy-bin' },
  HAProxy: { program: 'haproxy', packages: 'haproxy' },
  lighttpd: { program: 'lighttpd', packages: 'lighttpd lighttpd-mod-openssl' },
  openssl: { program: 'openssl', packages: 'openssl' },
};
const ATTEMPTS = 3;
const LOG_TAIL = 6000;

/** True when this machine has an IPv6 loopback address. */
export const HAS_IPV6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');

/**
 * Why tests against these servers can't run here, or false when they can: the `skip` option of a test.
 * @param {...keyof PROGRAMS} names
 * @returns {string | false}
 */
export function missing(...names) {
  const absent = names.filter((name) => findProgram(PROGRAMS[name].program) === null);
  if (absent.length === 0) return false;
  const packages = absent.map((name) => PROGRAMS[name].packages).join(' ');
  return `${absent.join(' and ')} not installed: apt-get install ${packages}`;
}

/**
 * A running server.
 * @typedef {object} Server
 * @property {string} name
 * @property {string} host
 * @property {number} port
 * @property {string} site where its files are
 * @property {() => string} log the end of all that it wrote
 * @property {(match: string, count: number) => Promise<Access[]>} accesses what its access log has with `match` in
 *   the request line, once there are `count` of them: servers write it after they have answered
 * @property {(text: string) => void} write to its standard input
 * @property {(name: NodeJS.Signals) => void} signal
 * @property {() => Promise<void>} stop
 *
 * @typedef {{ connection: string, request: string, status: number }} Access `connection` is the client's port
 *
 * How a server speaks TLS, with paths of PEM files.
 * @typedef {object} Tls
 * @property {string} cert
 * @property {string} key
 * @property {string[]} [protocols] of TLSv1.2 and TLSv1.3
 * @property {string} [clientCa] clients have to have a certificate that this signed
 */

/** What is spoken unless `protocols` says otherwise. */
export const PROTOCOLS = ['TLSv1.2', 'TLSv1.3'];

/** Makes a folder that the server may write to, with the files of the site inside, and files for the server only. */
function makeFolder(name, prepare, files) {
  const folder = mkdtempSync(join(tmpdir(), `porthole-${name.toLowerCase()}-`));
  const site = join(folder, 'site');
  const temporary = join(folder, 'tmp');
  mkdirSync(site);
  mkdirSync(temporary);
  chownToServer(folder, site, temporary);
  prepare?.(site);
  for (const [file, content] of Object.entries(files)) {
    writeFileSync(join(folder, file), content, { mode: 0o600 });
    chownToServer(join(folder, file));
  }
  return { folder, site };
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'latin1') : '';
}

function parseAccesses(log) {
  return log.split('\n').flatMap((line) => {
    const [, connection, request, status] = /^(\d+) "(.*)" (\d+)$/.exec(line) ?? [];
    return request === undefined ? [] : [{ connection, request, status: Number(status) }];
  });
}

/**
 * Starts a server; when another process took the port in the meantime, once more on another port.
 * @param {keyof PROGRAMS} name
 * @param {object} options
 * @param {(place: { path: string, folder: string, port: number }) => string[]} options.args
 * @param {(place: { folder: string, site: string, port: number }) => string} [options.configuration] what is in `path`
 * @param {(site: string) => void} [options.prepare] puts files into the site's folder
 * @param {Record<string, string>} [options.files] more files in the folder, which nobody else can read
 * @param {(output: string) => boolean} [options.ready] by what it wrote; else the server makes `server.pid`
 * @returns {Promise<Server>}
 */
export async function start(name, { args, configuration = () => '', prepare, files = {}, ready }) {
  const program = findProgram(PROGRAMS[name].program);
  const { folder, site } = makeFolder(name, prepare, files);
  let output = '';
  const log = () =>
    [output, ...['error.log', 'access.log', 'cache.log'].map((file) => readIfThere(join(folder, file)))]
      .filter(Boolean)
      .map((text) => text.slice(-LOG_TAIL))
      .join('');

  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const path = join(folder, 'server.conf');
    const pidFile = join(folder, 'server.pid');
    rmSync(pidFile, { force: true });
    writeFileSync(path, configuration({ port, folder, site }));
    output = '';
    const child = startProgram(program, args({ path, folder, port }), { cwd: folder, stdio: 'pipe' });
    child.stdin.on('error', () => {}); // it may have ended
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('latin1').on('data', (text) => (output = (output + text).slice(-LOG_TAIL)));
    }
    child.on('error', (error) => (output += error.stack));
    try {
      await waitUntilAccepting(child, { port, ready: () => (ready ? ready(output) : existsSync(pidFile)) });
    } catch (error) {
      await stopProgram(child);
      if (attempt < ATTEMPTS) continue;
      const text = log();
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`${name} (${program}) doesn't start: ${error.message}\n${text}`);
    }
    return {
      name,
      host: '127.0.0.1',
      port,
      site,
      log,
      write: (text) => child.stdin.write(text),
      signal: (name) => child.kill(name),
      async accesses(match, count) {
        for (let patience = 2000; ; patience -= 1) {
          const found = parseAccesses(readIfThere(join(folder, 'access.log'))).filter((access) =>
            access.request.includes(match),
          );
          if (found.length >= count || patience === 0) return found;
          await sleep(10);
        }
      },
      async stop() {
        await stopProgram(child);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }
}
