// SPDX-License-Identifier: MIT
//
// `npm run demo:plugin`: a plugin that may reach one host. It streams from that, and gets a good error at everything else.

import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import http from 'node:http';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createHost } from '../../js/host.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the plugin by clang alone. @returns {string} its path */
function build() {
  if (spawnSync('clang', ['--version']).status !== 0 || spawnSync('wasm-ld', ['--version']).status !== 0) {
    console.error('The plugin is built by clang: apt-get install clang lld');
    process.exit(1);
  }
  const folder = join(root, 'build', 'plugin');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'plugin.wasm');
  const sources = readdirSync(join(root, 'src')).filter((name) => name.endsWith('.c')).map((name) => join(root, 'src', name));
  // Compiled and linked in two steps: the driver would run whatever wasm-opt it finds, which may not know the module's features.
  const common = ['--target=wasm32', '-std=c11', '-ffreestanding', '-Oz', '-flto', '-mbulk-memory', '-fvisibility=hidden'];
  const files = [join(root, 'demo', 'plugin', 'plugin.c'), ...sources];
  execFileSync('clang', [...common, `-I${join(root, 'src', 'include')}`, '-c', ...files], { cwd: folder });
  const objects = files.map((file) => join(folder, `${basename(file, '.c')}.o`));
  execFileSync('wasm-ld', ['--no-entry', '--gc-sections', '--strip-all', ...objects, '-o', path]);
  return path;
}

/** A server whose page comes in three pieces. */
async function serve() {
  const server = http.createServer((_request, response) => {
    const lines = ['Roter Sand: a flash every 20 s\n', 'Alte Weser: a flash every 3 s\n', 'Neuwerk: a flash every 20 s\n'];
    const send = () => {
      const line = lines.shift();
      if (line === undefined) response.end();
      else response.write(line, () => setTimeout(send, 100));
    };
    send();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const path = build();
const server = await serve();
const { port } = server.address();
const rule = `127.0.0.1:${port}`;
const audit = (line) => console.log(`    audit: ${JSON.stringify(line)}`);
const host = createHost({ allow: [rule], audit });
const guest = await host.run(path, { time: 10 });
console.log(`A plugin of ${statSync(path).size} bytes, which may reach ${rule}:`);
const [place, piece] = [await guest.call('host'), await guest.call('piece')];
for (const name of [rule, 'localhost:8080', '169.254.169.254', '127.1']) {
  console.log(`\n  http://${name}/`);
  guest.write(place, `${name}\0`);
  let result = await guest.call('fetch');
  if (result > 0) console.log(`    status ${result}`);
  while (result > 0) {
    result = await guest.call('next');
    if (result > 0) console.log(`    piece: ${JSON.stringify(guest.read(piece, result).latin1Slice())}`);
  }
  if (result < 0) console.log(`    error ${result}: ${guest.read(piece, await guest.call('words')).toString()}`);
}
await host.close();
server.close();
server.closeAllConnections();
