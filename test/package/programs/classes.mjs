// SPDX-License-Identifier: MIT
//
// What the classes are called, and where their errors say that they come from.

import * as porthole from 'porthole';

const names = Object.entries(porthole).flatMap(([name, value]) => (typeof value === 'function' ? [[name, value.name]] : []));

class Own extends porthole.HTTPConnection {}
const conn = new Own('127.0.0.1', Number(process.argv[2]), { timeout: 10 });
const early = await conn.getresponse().catch((error) => error);
await conn.request('GET', '/data.json');
const again = await conn.request('GET', '/').catch((error) => error);
conn.close();

console.log(JSON.stringify({
  names,
  early: [early instanceof porthole.ResponseNotReady, early instanceof porthole.HTTPException, early.stack],
  again: [again instanceof porthole.CannotSendRequest, again.stack],
  inner: [Object.getPrototypeOf(porthole.HTTPConnection).name, new porthole.HTTPMessage().constructor.name],
}));
