// SPDX-License-Identifier: MIT
//
// A guest by porthole/host, in a thread of its own with WASI and without, and in this one: each asks the port given.

import { readFileSync } from 'node:fs';
import { createHost } from 'porthole/host';

const [port, raw, system] = process.argv.slice(2);
const host = createHost({ allow: ['127.0.0.1:*'] });

const guest = await host.run(raw);
const text = await guest.call('text');
const put = (string) => {
  guest.write(text, string);
  return string.length;
};
const beside = [await guest.call('connect', put('127.0.0.1'), Number(port), 0), await guest.call('get', put('/data.json'), 0, 1)];
const body = guest.read(await guest.call('body'), beside[1]).toString();
const refused = await guest.call('connect', put('10.0.0.1'), 80, 0);

const withSystem = await host.run(system, { imports: ['wasi_snapshot_preview1'] });
const closed = await withSystem.call('close_output');

let here;
const imports = host.imports(() => here.exports.memory);
here = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(raw)), imports);
const putHere = (string) => Buffer.from(here.exports.memory.buffer, here.exports.text(), 100).write(string);
const inside = [here.exports.connect(putHere('127.0.0.1'), Number(port), 0), here.exports.get(putHere('/data.json'), 0, 1)];

await host.close();
console.log(JSON.stringify({ beside, body, refused, closed, inside }));
