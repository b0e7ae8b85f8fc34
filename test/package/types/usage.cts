// SPDX-License-Identifier: MIT
//
// Compiled, never run: CommonJS that requires the ES module.

import porthole = require('porthole');

export async function status(): Promise<number> {
  const conn = new porthole.HTTPConnection('localhost', { timeout: 1 });
  await conn.request('GET', '/');
  const response: porthole.HTTPResponse = await conn.getresponse();
  return response.status === porthole.OK ? 0 : response.status;
}
