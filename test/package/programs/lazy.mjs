// SPDX-License-Identifier: MIT
//
// Counts what is compiled, at each step from the import to a response, and what is left open by the import.

let compiled = 0;

function counting(target, name) {
  const original = target[name];
  target[name] = new Proxy(original, {
    apply(...args) {
      compiled++;
      return Reflect.apply(...args);
    },
    construct(...args) {
      compiled++;
      return Reflect.construct(...args);
    },
  });
}

counting(WebAssembly, 'Module');
counting(WebAssembly, 'compile');
counting(WebAssembly, 'compileStreaming');
counting(WebAssembly, 'instantiate');
counting(WebAssembly, 'instantiateStreaming');

const before = process.getActiveResourcesInfo();
const { HTTPConnection } = await import('porthole');
const opened = process.getActiveResourcesInfo().filter((resource) => !before.includes(resource));
const afterImport = compiled;

const ports = [process.argv[2], process.argv[2]];
for (const port of ports) {
  const conn = new HTTPConnection('127.0.0.1', Number(port), { timeout: 10 });
  await conn.request('GET', '/data.json');
  await (await conn.getresponse()).read();
  conn.close();
}
console.log(JSON.stringify({ opened, afterImport, afterConnections: compiled }));
