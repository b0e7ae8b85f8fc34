// SPDX-License-Identifier: MIT
//
// A fresh process that imports one contender, gets one answer and tells how long that took, in ms. Nothing but the
// contender is loaded before.

const begin = performance.now();
const { client, host, port, root, load } = JSON.parse(process.argv[2]);
const { open } = await import(`./clients/${client}.mjs`);
const { clients, close } = await open({ host, port, root, ca: null, timeout: 30, count: 1, separate: false });
const opened = performance.now();
const body = await clients[0].read(load.path);
const end = performance.now();
const { user, system } = process.cpuUsage();
await close();

const { readFileSync, writeSync } = await import('node:fs');
const { describe, differs } = await import('./pattern.mjs');
const pattern = readFileSync(JSON.parse(process.argv[2]).body);
// The floor gives a length only.
const at = body instanceof Uint8Array ? differs(pattern, 0, body) : -1;
if (body.length !== load.bytes || at !== -1) {
  throw new Error(at === -1 ? `${body.length} bytes instead of ${load.bytes}` : describe(pattern, 0, at, body));
}
writeSync(1, JSON.stringify({ import: opened - begin, first: end - begin, cpu: (user + system) / 1000 }));
process.exit();
