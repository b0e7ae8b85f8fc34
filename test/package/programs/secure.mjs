// SPDX-License-Identifier: MIT
//
// The same over TLS, verified by a CA of its own.

import { create_default_context, HTTPSConnection } from 'porthole';

const [port, cafile] = process.argv.slice(2);
const trusting = new HTTPSConnection('localhost', Number(port), { timeout: 10, context: create_default_context({ cafile }) });
await trusting.request('GET', '/data.json');
const body = await (await trusting.getresponse()).json();
trusting.close();

const doubting = new HTTPSConnection('localhost', Number(port), { timeout: 10 });
const error = await doubting.request('GET', '/').catch((failure) => failure);
doubting.close();
console.log(JSON.stringify({ body, code: error.code }));
