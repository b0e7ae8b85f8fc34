// SPDX-License-Identifier: MIT
//
// Preloaded into a snippet's process: every connection, whatever host, port or path it asks for, goes to one server.

import dns from 'node:dns';
import net from 'node:net';

const connect = net.Socket.prototype.connect;

dns.lookup = (_host, _options, done) => setImmediate(done, null, [{ address: '127.0.0.1', family: 4 }]);

net.Socket.prototype.connect = function (...args) {
  // net.connect hands its normalized arguments over as an array.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  Object.assign(options, { host: '127.0.0.1', port: Number(process.env.DOCS_PORT), path: undefined });
  return connect.apply(this, args);
};
