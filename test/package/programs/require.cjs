// SPDX-License-Identifier: MIT
//
// The same through require().

const { HTTPConnection, OK } = require('porthole');

async function main() {
  const conn = new HTTPConnection('127.0.0.1', Number(process.argv[2]), { timeout: 10 });
  await conn.request('POST', '/echo', 'posted');
  const response = await conn.getresponse();
  console.log(JSON.stringify({ status: response.status, ok: response.status === OK, body: await response.text() }));
  conn.close();
}

main();
