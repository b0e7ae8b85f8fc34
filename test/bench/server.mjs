// SPDX-License-Identifier: MIT
//
// Builds and starts the benchmark's server. Run by itself it prints the ports and serves until it is interrupted.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { aptInstall, has, isRoot, root, say } from '../../bindings/setup.mjs';
import { certificates } from '../support/certificates.mjs';
import { makePattern } from './pattern.mjs';

const source = fileURLToPath(new URL('server.c', import.meta.url));
const folder = join(root, 'build', 'bench');
const binary = join(folder, 'server');

/** The file of the bodies. */
export const bodyFile = join(folder, 'body.txt');

function hasOpenssl() {
  const compiler = process.env.CC ?? 'cc';
  try {
    execFileSync(compiler, ['-fsyntax-only', '-include', 'openssl/ssl.h', '-x', 'c', '/dev/null'], { stdio: 'ignore' });
    return has('openssl');
  } catch {
    return false;
  }
}

/**
 * Compiles the server into `build/bench`, with `CC` or `cc`, and writes the bodies beside it.
 * @returns {{ cert: string, key: string, ca: string } | null} certificates; null where it can't speak TLS
 */
export function buildServer() {
  mkdirSync(folder, { recursive: true });
  const tls = hasOpenssl() || (aptInstall(['libssl-dev', 'openssl']) && hasOpenssl());
  if (!tls) {
    const reason = isRoot ? 'can’t be had' : 'needs root rights';
    say(`no OpenSSL to build the server with (libssl-dev ${reason}): no loads over TLS`);
  }
  const libraries = tls ? ['-DWITH_TLS', '-lssl', '-lcrypto'] : [];
  const args = ['-std=c11', '-O2', '-o', binary, source, ...libraries];
  execFileSync(process.env.CC ?? 'cc', args, { stdio: 'inherit' });
  if (!existsSync(bodyFile)) {
    writeFileSync(bodyFile, makePattern());
  }
  if (!tls) {
    return null;
  }
  const { good, ca } = certificates();
  return { ...good, ca };
}

/**
 * Starts the compiled server on free ports.
 * @param {object} [options]
 * @param {string[]} [options.wrapper] a command to start it under, such as `['taskset', '-c', '1']`
 * @param {{ cert: string, key: string } | null} [options.certificate] for TLS
 * @param {string} [options.body] the file of the bodies
 * @returns {Promise<{ port: number, tlsPort: number, cpuTime: () => number, stop: () => Promise<void> }>}
 *   `cpuTime` in microseconds since the start
 */
export async function startServer({ wrapper = [], certificate = null, body = bodyFile } = {}) {
  const pair = certificate ? [certificate.cert, certificate.key] : [];
  const [command, ...args] = [...wrapper, binary, body, ...pair];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
  ]);
  const [port, tlsPort] = line.split(' ').map(Number);
  return {
    port,
    tlsPort,
    cpuTime: () => Number(readFileSync(`/proc/${child.pid}/schedstat`, 'latin1').split(' ')[0]) / 1000,
    async stop() {
      child.stdin.end();
      if (child.exitCode === null && child.signalCode === null) {
        await once(child, 'exit');
      }
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const certificate = buildServer();
  const { port, tlsPort } = await startServer({ certificate });
  console.log(`port ${port}${certificate ? `, for TLS ${tlsPort}, trust ${certificate.ca}` : ''}; body in ${bodyFile}`);
}
