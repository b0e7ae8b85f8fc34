// SPDX-License-Identifier: MIT
//
// What tests of HTTPS in WASI share: guests with TLS, the provider of jco, and the servers.

import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { dirname, join } from 'node:path';
import { tool, toolsFolder } from '../../bindings/wasi/tools.mjs';
import { certificates } from '../support/certificates.mjs';
import { execute, makeComponent, root } from './guests.mjs';

const here = join(root, 'test', 'wasi');

/** As makeComponent, with the archive that has TLS. */
export function makeTlsComponent(folder, name, sources) {
  const withTls = (library) => library.replace('libporthole-wasi.a', 'libporthole-wasi-tls.a');
  return makeComponent(folder, name, sources, (objects, libraries) => [...objects, ...libraries.map(withTls)]);
}

/** Makes a folder a package of JavaScript that has what a component with TLS needs, and the tools. */
export function installPackage(folder) {
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(toolsFolder, 'node_modules', '@bytecodealliance'), join(folder, 'node_modules', '@bytecodealliance'));
  for (const part of ['package.json', join('bindings', 'wasi', 'jco')]) {
    cpSync(join(root, part), join(folder, 'node_modules', 'porthole', part), { recursive: true });
  }
}

/** Makes modules of JavaScript of a component, beside the package that has their TLS. @returns {Promise<string>} their folder */
export async function transpileWithTls(component, name = 'command', folder = `${component}.jco`) {
  const { transpile } = await tool('@bytecodealliance/jco-transpile');
  const map = { 'wasi:tls/types@0.2.0-draft': 'porthole/wasi-tls' };
  const { files } = await transpile(component, { name, outDir: folder, map });
  for (const file in files) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, files[file]);
  }
  installPackage(folder);
  return folder;
}

/** Ends with code, output and errors, also when that is not 0. */
export const settle = (started) => started.then((ended) => ({ code: 0, ...ended }), (error) => error);
const limits = { timeout: 240000, maxBuffer: 1 << 26 };

/** Runs what transpileWithTls has made, with the options of porthole/wasi-tls, PEM files by their paths. @returns {(args: string[], tls?: object) => Promise<any>} */
export function jcoOf(folder) {
  return (args, { ca, cert, key, ...rest } = {}) => {
    const pem = Object.entries({ ca, cert, key }).filter(([, file]) => file !== undefined);
    const options = { ...Object.fromEntries(pem.map(([name, file]) => [name, readFileSync(file, 'utf8')])), ...rest };
    const runner = [join(here, 'run_jco_tls.mjs'), JSON.stringify(options), folder];
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' }; // it counts for nothing
    return settle(execute(process.execPath, [...runner, ...args], { ...limits, env }));
  };
}

/** Runs a component by the embedder in Rust, with options of its own. */
export function embedderOf(program, component, options = []) {
  return (args, tls = {}) => {
    const given = ['ca', 'cert', 'key'].filter((name) => tls[name] !== undefined).flatMap((name) => [`--${name}`, tls[name]]);
    return settle(execute(program, [...options, ...given, component, ...args], limits));
  };
}

/**
 * A server with a certificate, that answers: / with hello, /big with 1 MiB, /cut with less than it promises, a POST with how
 * much it was; and that is gone when `use` is done.
 *
 * @param {string} kind of test/support/certificates.mjs
 * @param {(port: number, seen: { connections: number, requests: number, protocols: Set<string | false>, name?: string | false, peer?: string }) => Promise<void>} use
 * @param {https.ServerOptions} [options]
 */
export async function withHttps(kind, use, options = {}) {
  const { cert, key } = certificates()[kind];
  const seen = { connections: 0, requests: 0, protocols: new Set() };
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key), ...options }, (request, response) => {
    let length = 0;
    seen.requests++;
    request.on('data', (data) => (length += data.length));
    request.on('end', () => {
      if (request.url === '/cut') {
        response.writeHead(200, { 'Content-Length': 100 });
        response.write('half', () => response.socket.destroy());
      } else if (request.url === '/big') response.end(Buffer.alloc(1 << 20, 'x'));
      else if (request.url === '/last') response.writeHead(200, { Connection: 'close' }).end('hello');
      else response.end(request.method === 'POST' ? String(length) : 'hello');
    });
  });
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket.on('close', () => sockets.delete(socket))));
  server.on('secureConnection', (socket) => {
    seen.connections++;
    seen.protocols.add(socket.alpnProtocol);
    seen.name = socket.servername;
    seen.peer = socket.getPeerCertificate().subject?.CN;
    socket.on('error', () => {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(server.address().port, seen);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}
