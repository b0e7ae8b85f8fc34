// SPDX-License-Identifier: MIT
//
// Run in a project that has porthole installed: makes a request to the port given, and tells what it saw as JSON.

import * as porthole from 'porthole';

/** The names that an object has by itself or by the classes that porthole exports, but for private ones. */
function membersOf(object) {
  const names = new Set(Object.getOwnPropertyNames(object));
  for (let at = Object.getPrototypeOf(object); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return [...names].filter((name) => name !== 'constructor' && !name.startsWith('_')).sort();
}

const conn = new porthole.HTTPConnection('127.0.0.1', Number(process.argv[2]), { timeout: 10 });
await conn.request('POST', '/echo', 'posted');
const response = await conn.getresponse();
const seen = {
  status: response.status,
  body: await response.text(),
  exports: Object.keys(porthole).sort(),
  members: {
    HTTPConnection: membersOf(conn),
    HTTPResponse: membersOf(response),
    HTTPMessage: membersOf(response.headers),
  },
};
conn.close();
console.log(JSON.stringify(seen));
