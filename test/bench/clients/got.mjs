// SPDX-License-Identifier: MIT

import got from 'got';
import { agents } from './node-http.mjs';

export async function open(where) {
  const { host, port, ca, timeout, count } = where;
  const { of, close } = agents(where);
  const origin = `${ca ? 'https' : 'http'}://${host}:${port}`;
  const instance = got.extend({
    agent: ca ? { https: of(0) } : { http: of(0) },
    https: ca ? { certificateAuthority: ca } : {},
    timeout: { socket: timeout * 1000 },
    retry: { limit: 0 },
    responseType: 'buffer',
    decompress: false,
  });
  const client = { read: (path) => instance(origin + path).then(({ body }) => body) };
  return { clients: Array.from({ length: count }, () => client), close };
}
