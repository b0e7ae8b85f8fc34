// SPDX-License-Identifier: MIT

import http from 'node:http';
import https from 'node:https';

function client(target) {
  const request = target.ca ? https.request : http.request;

  function exchange(method, path, body, take) {
    return new Promise((resolve, reject) => {
      const sent = request({ ...target, method, path }, (response) => {
        if (response.statusCode !== 200) {
          reject(new Error(`status ${response.statusCode}`));
        }
        response.on('data', take).on('end', resolve).on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  async function read(path, method = 'GET', body = undefined) {
    const parts = [];
    await exchange(method, path, body, (part) => parts.push(part));
    return Buffer.concat(parts);
  }

  return {
    read: (path) => read(path),
    upload: (path, body) => read(path, 'POST', body),
    async stream(path, _view, visit) {
      let total = 0;
      await exchange('GET', path, undefined, (part) => {
        total += part.length;
        visit?.(part);
      });
      return total;
    },
  };
}

/** Agents: one for each connection, or one for all. */
export function agents({ ca, timeout, count, separate }) {
  const { Agent } = ca ? https : http;
  const made = Array.from({ length: separate ? count : 1 }, () => {
    return new Agent({ keepAlive: true, maxSockets: separate ? 1 : count, timeout: timeout * 1000, ca });
  });
  return {
    of: (index) => made[index % made.length],
    close() {
      for (const agent of made.splice(0)) agent.destroy();
    },
  };
}

export async function open(where) {
  const { host, port, ca, count } = where;
  const { of, close } = agents(where);
  const clients = Array.from({ length: count }, (_, index) => client({ host, port, ca, agent: of(index) }));
  return { clients, close };
}
