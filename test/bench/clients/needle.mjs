// SPDX-License-Identifier: MIT

import needle from 'needle';
import { agents } from './node-http.mjs';

export async function open(where) {
  const { host, port, ca, timeout, count } = where;
  const { of, close } = agents(where);
  const origin = `${ca ? 'https' : 'http'}://${host}:${port}`;
  const options = { agent: of(0), ca, read_timeout: timeout * 1000, parse_response: false, decode_response: false };
  const client = {
    async read(path) {
      const { statusCode, raw } = await needle('get', origin + path, null, options);
      if (statusCode !== 200) {
        throw new Error(`status ${statusCode}`);
      }
      return raw;
    },
  };
  return { clients: Array.from({ length: count }, () => client), close };
}
