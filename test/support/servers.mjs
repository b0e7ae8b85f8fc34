// SPDX-License-Identifier: MIT
//
// Real servers: nginx, Apache, Squid and tinyproxy, in clear or over TLS. tls-servers.mjs has more.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { HAS_IPV6, PROTOCOLS, start } from './start.mjs';

export { HAS_IPV6, missing } from './start.mjs';

/** @typedef {import('./start.mjs').Server} Server */
/** @typedef {import('./start.mjs').Tls} Tls */

/** What nginx wants to keep files of, used or not. */
const NGINX_FOLDERS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/**
 * Starts nginx.
 * @param {object} options
 * @param {(site: string) => void} [options.prepare] puts files into the site's folder
 * @param {string} [options.server] more of the `server` block
 * @param {string} [options.http] more of the `http` block
 * @param {Tls} [options.tls]
 * @param {Record<string, Tls>} [options.hosts] further hosts by their names, with certificates of their own
 */
export function startNginx({ prepare, server = '', http = '', tls, hosts = {} } = {}) {
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
  ${nginxHost('localhost', { port, site, tls, server })}
  ${Object.entries(hosts).map(([name, pair]) => nginxHost(name, { port, site, tls: pair, server })).join('\n')}
}
`,
  });
}

function nginxHost(name, { port, site, tls, server }) {
  const ssl = tls ? ' ssl' : '';
  return `
  server {
    listen 127.0.0.1:${port}${ssl};
    ${HAS_IPV6 ? `listen [::1]:${port}${ssl};` : ''}
    server_name ${name};
    root ${site};
    ${tls ? nginxTls(tls) : ''}
    ${server}
  }`;
}

const nginxTls = ({ cert, key, protocols = PROTOCOLS, clientCa }) => `
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols ${protocols.join(' ')};
    ${clientCa ? `ssl_client_certificate ${clientCa}; ssl_verify_client on;` : ''}`;

const APACHE_MODULES = ['mpm_event', 'authz_core', 'mime', 'dir'];

/**
 * Starts Apache.
 * @param {object} options
 * @param {(site: string) => void} [options.prepare] puts files into the site's folder
 * @param {string[]} [options.modules] further modules, such as `dav`
 * @param {string | ((folders: { folder: string, site: string }) => string)} [options.configuration] more configuration
 * @param {Tls} [options.tls]
 */
export function startApache({ prepare, modules = [], configuration = '', tls } = {}) {
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
${[...APACHE_MODULES, ...(tls ? ['ssl'] : []), ...modules].map(load).join('\n')}
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
${tls ? apacheTls(tls) : ''}
${more({ folder, site })}
`,
  });
}

const apacheTls = ({ cert, key, protocols = PROTOCOLS, clientCa }) => `
SSLEngine on
SSLCertificateFile ${cert}
SSLCertificateKeyFile ${key}
SSLProtocol -all ${protocols.map((protocol) => `+${protocol}`).join(' ')}
${clientCa ? `SSLCACertificateFile ${clientCa}\nSSLVerifyClient require` : ''}`;

const NCSA = '/usr/lib/squid/basic_ncsa_auth';

/** The lines of a password file as Apache and Squid read it. */
const hashed = (users) =>
  Object.entries(users).map(([user, password]) => {
    const { stdout } = spawnSync('openssl', ['passwd', '-apr1', '-stdin'], { input: password, encoding: 'latin1' });
    return `${user}:${stdout}`;
  });

/**
 * Starts Squid, which caches nothing here.
 * @param {object} options
 * @param {string} options.rules its `acl` and `http_access` lines
 * @param {string} [options.settings] further lines
 * @param {Tls} [options.tls] clients speak TLS to it
 * @param {Record<string, string>} [options.users] passwords by name: `acl known proxy_auth REQUIRED` asks for one
 */
export function startSquid({ rules, settings = '', tls, users }) {
  return start('Squid', {
    files: users ? { passwords: hashed(users).join('') } : {},
    args: ({ path }) => ['-N', '-f', path],
    configuration: ({ port, folder }) => `
${tls ? `https_port 127.0.0.1:${port} tls-cert=${tls.cert} tls-key=${tls.key}` : `http_port 127.0.0.1:${port}`}
${users ? `auth_param basic program ${NCSA} ${folder}/passwords\nauth_param basic realm porthole` : ''}
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
