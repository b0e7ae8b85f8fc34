// SPDX-License-Identifier: MIT

import http from 'node:http';
import { main, TIMEOUT } from './harness.mjs';

function exchange(where, method, path, body, onResponse) {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...where, method, path }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`status ${response.statusCode}`));
      }
      response.on('error', reject);
      onResponse(response, resolve);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function intoOneBuffer(response, resolve) {
  const parts = [];
  response.on('data', (part) => parts.push(part));
  response.on('end', () => resolve(Buffer.concat(parts).length));
}

function counting(response, resolve) {
  let total = 0;
  response.on('data', (part) => (total += part.length));
  response.on('end', () => resolve(total));
}

await main((where, count) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: count, timeout: TIMEOUT * 1000 });
  const target = { ...where, agent };
  const client = {
    read: (path) => exchange(target, 'GET', path, undefined, intoOneBuffer),
    stream: (path) => exchange(target, 'GET', path, undefined, counting),
    upload: (path, body) => exchange(target, 'POST', path, body, intoOneBuffer),
  };
  return { clients: Array.from({ length: count }, () => client), close: () => agent.destroy() };
});
