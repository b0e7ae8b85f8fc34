// SPDX-License-Identifier: MIT
//
// Further servers that speak TLS, each by an implementation or a configuration of its own: HAProxy, lighttpd, and
// `openssl s_server`.

import { readFileSync } from 'node:fs';
import { PROTOCOLS, start } from './start.mjs';

/**
 * Starts HAProxy.
 * @param {object} options
 * @param {import('./start.mjs').Tls} options.tls
 * @param {number} [options.origin] the port of the server behind it; without one it answers `by itself` to everything
 */
export function startHaproxy({ tls, origin }) {
  const { cert, key, protocols = PROTOCOLS, clientCa } = tls;
  const verify = clientCa ? `ca-file ${clientCa} verify required` : '';
  return start('HAProxy', {
    files: { 'both.pem': readFileSync(cert, 'latin1') + readFileSync(key, 'latin1') },
    args: ({ path, folder }) => ['-W', '-f', path, '-p', `${folder}/server.pid`],
    configuration: ({ port, folder }) => `
global
  maxconn 200
  zero-warning
  log stdout format raw daemon
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend tls
  bind 127.0.0.1:${port} ssl crt ${folder}/both.pem ssl-min-ver ${protocols[0]} ssl-max-ver ${protocols.at(-1)} ${verify}
  log global
  ${origin ? 'default_backend origin' : 'http-request return status 200 content-type text/plain string "by itself"'}
${origin ? `backend origin\n  server origin 127.0.0.1:${origin}` : ''}
`,
  });
}

/**
 * Starts lighttpd.
 * @param {object} options
 * @param {(site: string) => void} [options.prepare] puts files into the site's folder
 * @param {import('./start.mjs').Tls} options.tls
 * @param {string} [options.configuration] more of it
 */
export function startLighttpd({ prepare, tls, configuration = '' }) {
  const { cert, key, protocols = PROTOCOLS, clientCa } = tls;
  const verify = clientCa
    ? `ssl.verifyclient.ca-file = "${clientCa}"\nssl.verifyclient.activate = "enable"\nssl.verifyclient.enforce = "enable"`
    : '';
  return start('lighttpd', {
    prepare,
    args: ({ path }) => ['-D', '-f', path],
    configuration: ({ port, folder, site }) => `
server.modules = ("mod_openssl", "mod_proxy")
server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = "${site}"
server.pid-file = "${folder}/server.pid"
server.errorlog = "${folder}/error.log"
server.upload-dirs = ("${folder}/tmp")
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html", ".txt" => "text/plain", "" => "application/octet-stream")
ssl.engine = "enable"
ssl.pemfile = "${cert}"
ssl.privkey = "${key}"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "${protocols[0]}", "MaxProtocol" => "${protocols.at(-1)}")
${verify}
${configuration}
`,
  });
}

/**
 * Starts `openssl s_server`. Without `-www` it prints what it receives, sends what is written to it, and takes a `k`, `K`
 * or `r` for an order: to change keys, to have them changed by both, to negotiate again.
 * @param {object} options
 * @param {import('./certificates.mjs').Pair} options.tls
 * @param {string[]} [options.args] more of its arguments
 */
export function startOpenssl({ tls, args = [] }) {
  return start('openssl', {
    args: ({ port }) => ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', tls.cert, '-key', tls.key, ...args],
    ready: (output) => output.includes('ACCEPT'),
  });
}
