// SPDX-License-Identifier: MIT
//
// Real servers, each on a free port with a configuration and a folder of its own, both temporary: nginx, Apache,
// Squid, tinyproxy.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chownToServer, findProgram, freePort, startProgram, stopProgram, waitUntilAccepting } from './process.mjs';

const PROGRAMS = {
  nginx: { program: 'nginx', packages: 'nginx-light' },
  Apache: { program: 'apache2', packages: 'apache2-bin' },
  Squid: { program: 'squid', packages: 'squid' },
  tinyproxy: { program: 'tinyproxy', packages: 'tinyproxy-bin' },
};
const ATTEMPTS = 3;
const LOG_TAIL = 6000;

/** True when this machine has an IPv6 loopback address. */
export const HAS_IPV6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');

/**
 * Why tests against these servers can't run here, or false when they can: the `skip` option of a test.
 * @param {...('nginx' | 'Apache' | 'Squid' | 'tinyproxy')} names
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
 * @property {(name: NodeJS.Signals) => void} signal
 * @property {() => Promise<void>} stop
 *
 * @typedef {{ connection: string, request: string, status: number }} Access `connection` is the client's port
 */

/** Makes a folder that the server may write to, with the files of the site inside. */
function makeFolder(name, prepare) {
  const folder = mkdtempSync(join(tmpdir(), `porthole-${name.toLowerCase()}-`));
  const site = join(folder, 'site');
  const temporary = join(folder, 'tmp');
  mkdirSync(site);
  mkdirSync(temporary);
  chownToServer(folder, site, temporary);
  prepare?.(site);
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
 * @returns {Promise<Server>}
 */
async function start(name, { prepare, configuration, args }) {
  const program = findProgram(PROGRAMS[name].program);
  const { folder, site } = makeFolder(name, prepare);
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
    const child = startProgram(program, args({ path, folder }), { cwd: folder });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('latin1').on('data', (text) => (output = (output + text).slice(-LOG_TAIL)));
    }
    child.on('error', (error) => (output += error.stack));
    try {
      await waitUntilAccepting(child, { port, ready: () => existsSync(pidFile) });
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
      signal: (name) => child.kill(name),
      async accesses(match, count) {
        for (let patience = 200; ; patience -= 1) {
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

/** What nginx wants to keep files of, used or not. */
const NGINX_FOLDERS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/**
 * Starts nginx.
 * @param {object} options
 * @param {(site: string) => void} [options.prepare] puts files into the site's folder
 * @param {string} [options.server] more of the `server` block
 * @param {string} [options.http] more of the `http` block
 */
export function startNginx({ prepare, server = '', http = '' } = {}) {
  return start('nginx', {
    prepare,
    args: ({ path, folder }) => ['-e', join(folder, 'error.log'), '-p', folder, '-c', path],
    configuration: ({ port, folder, site }) => `
daemon off;
worker_processes 1;
pid ${folder}/server.pid;
error_log ${folder}/error.log notice;
events { worker_connections 512; }
http {
  types { text/html html; text/plain txt; application/json json; image/svg+xml svg; text/css css; }
  default_type application/octet-stream;
  log_format accesses '$remote_port "$request" $status';
  access_log ${folder}/access.log accesses;
  ${NGINX_FOLDERS.map((kind) => `${kind}_temp_path ${folder}/tmp/${kind};`).join('\n  ')}
  ${http}
  server {
    listen 127.0.0.1:${port};
    ${HAS_IPV6 ? `listen [::1]:${port};` : ''}
    server_name localhost;
    root ${site};
    ${server}
  }
}
`,
  });
}

const APACHE_MODULES = ['mpm_event', 'authz_core', 'mime', 'dir'];

/**
 * Starts Apache.
 * @param {object} options
 * @param {(site: string) => void} [options.prepare] puts files into the site's folder
 * @param {string[]} [options.modules] further modules, such as `dav`
 * @param {string | ((folders: { folder: string, site: string }) => string)} [options.configuration] more configuration
 */
export function startApache({ prepare, modules = [], configuration = '' } = {}) {
  const more = typeof configuration === 'function' ? configuration : () => configuration;
  const load = (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`;
  return start('Apache', {
    prepare,
    args: ({ path }) => ['-DFOREGROUND', '-f', path],
    configuration: ({ port, folder, site }) => `
ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
${HAS_IPV6 ? `Listen [::1]:${port}` : ''}
PidFile ${folder}/server.pid
DefaultRuntimeDir ${folder}/tmp
Mutex file:${folder}/tmp default
${[...APACHE_MODULES, ...modules].map(load).join('\n')}
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
ErrorLog ${folder}/error.log
LogFormat "%{remote}p \\"%r\\" %>s" accesses
CustomLog ${folder}/access.log accesses
TypesConfig /dev/null
AddType text/html .html
AddType text/plain .txt
AddType application/json .json
DirectoryIndex index.html
DocumentRoot ${site}
${more({ folder, site })}
`,
  });
}

/**
 * Starts Squid, which caches nothing here.
 * @param {object} options
 * @param {string} options.rules its `acl` and `http_access` lines
 * @param {string} [options.settings] further lines
 */
export function startSquid({ rules, settings = '' }) {
  return start('Squid', {
    args: ({ path }) => ['-N', '-f', path],
    configuration: ({ port, folder }) => `
http_port 127.0.0.1:${port}
acl CONNECT method CONNECT
${rules}
cache deny all
cache_mem 1 MB
memory_pools off
pinger_enable off
pid_filename ${folder}/server.pid
coredump_dir ${folder}
logformat accesses %>p "%rm %ru HTTP/%rv" %>Hs
access_log stdio:${folder}/access.log accesses
cache_log ${folder}/cache.log
cache_store_log none
netdb_filename none
max_filedescriptors 256
visible_hostname localhost
shutdown_lifetime 0 seconds
connect_timeout 2 seconds
connect_retries 0
forward_timeout 3 seconds
${settings}
`,
  });
}

/**
 * Starts tinyproxy.
 * @param {object} options
 * @param {string} options.settings its `ConnectPort`, `BasicAuth` and further lines
 */
export function startTinyproxy({ settings }) {
  return start('tinyproxy', {
    args: ({ path }) => ['-d', '-c', path],
    configuration: ({ port, folder }) => `
Port ${port}
Listen 127.0.0.1
Timeout 10
MaxClients 50
PidFile "${folder}/server.pid"
LogFile "${folder}/error.log"
LogLevel Connect
Allow 127.0.0.1
${settings}
`,
  });
}
