// SPDX-License-Identifier: MIT

import axios from 'axios';
import { agents } from './node-http.mjs';

export async function open(where) {
  const { host, port, ca, timeout, count } = where;
  const { of, close } = agents(where);
  const instance = axios.create({
    baseURL: `${ca ? 'https' : 'http'}://${host}:${port}`,
    [ca ? 'httpsAgent' : 'httpAgent']: of(0),
    timeout: timeout * 1000,
    responseType: 'arraybuffer',
    decompress: false,
    proxy: false,
  });
  const client = { read: (path) => instance.get(path).then(({ data }) => data) };
  return { clients: Array.from({ length: count }, () => client), close };
}
